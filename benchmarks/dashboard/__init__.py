"""The generated dashboard and alerts with a real Prometheus and the real server: for a test, and for a picture."""
