"""What goes into an image and what comes out: context, runtime lock, labels, archive, golden rows."""
