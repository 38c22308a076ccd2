"""Documents in, passages out: read, chunk, embed, index, search. It refuses to know about models, cases and prompts."""
