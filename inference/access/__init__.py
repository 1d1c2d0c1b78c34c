"""Who may ask, and how often: API keys and a rate limit, each off until a setting names it."""
