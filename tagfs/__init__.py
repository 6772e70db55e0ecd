"""Mount an object-storage bucket and edit its tags as extended attributes."""

__version__ = "0.1.0"
