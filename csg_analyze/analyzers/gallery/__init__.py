"""A gallery of all filters, one card per filter."""
