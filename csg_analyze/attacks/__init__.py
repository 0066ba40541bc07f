"""Attacks on networks through foolbox: names and settings, random numbers, and the attack on one block of images."""
