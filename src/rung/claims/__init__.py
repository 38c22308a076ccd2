"""Headlines of the field's guides, each measured again on your own runs. No number of any guide or of ours is stored here."""
