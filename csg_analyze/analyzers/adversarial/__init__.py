"""Attacks: detection of adversarial samples (Sec. 5.2, Table 3) and accuracy under attack (Appendix J)."""
