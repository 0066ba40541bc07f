"""How figures look: style, panels and charts that know no analysis."""
