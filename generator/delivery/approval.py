"""Whether an environment protects: before a promotion relies on an approval, somebody must be there to give it.

GitHub makes an environment that does not exist, without any protection, the moment that a job names it. So a job
that waits for `approval: true` looks first.
"""

from __future__ import annotations

from generator.ports import Approvals


def approval_problem(approvals: Approvals, environment: str) -> str | None:
    """Why `environment` asks nobody, and what to do; None where somebody must approve."""
    asked = approvals.who_approves(environment)
    if asked:
        return None
    state = f"GitHub has no environment {environment}" if asked is None else f"{environment} asks nobody"
    return (
        f"{state}, and nothing would wait: run `generator bootstrap github --apply --reviewer @ORG/TEAM`. "
        "Private repositories have required reviewers with GitHub Enterprise alone: elsewhere use "
        "`via: pull-request` instead of `approval: true`"
    )
