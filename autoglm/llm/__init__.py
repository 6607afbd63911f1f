"""Language models behind one interface: over HTTP, local, scripted; their cost is bounded."""
