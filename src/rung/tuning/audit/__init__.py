"""The audit of training rows before they are trained on. It refuses to change a row: it says what is wrong and how to mend it."""
