"""What an approach costs to build, to run and to keep; where two of them cross; and which assumption decides."""
