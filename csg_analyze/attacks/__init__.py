"""Attacks on networks through foolbox: their names and settings, their random numbers, one block of images attacked."""
