"""Who is told of releases, promotions and rollbacks: GitHub's deployments and releases, and a chat."""
