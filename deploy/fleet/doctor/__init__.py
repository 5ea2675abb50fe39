"""`make doctor`: what is wrong with the machine, with nginx and with the settings, why it hurts, what to type."""
