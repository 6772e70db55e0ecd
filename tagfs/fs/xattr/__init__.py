"""Extended attributes: tags, user metadata, and what setattr writes."""
