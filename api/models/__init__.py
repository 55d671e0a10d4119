"""Models: trained generators, and jobs that make more images from one."""
