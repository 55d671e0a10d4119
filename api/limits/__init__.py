"""How much may be used: requests a minute, uploads a day, jobs at a time, time on GPUs."""
