"""The verdict for people: a table in the terminal and one HTML file. Refuses to compute anything that was not measured."""
