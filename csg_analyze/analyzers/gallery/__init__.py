"""A gallery of all filters, each on a card of its own."""
