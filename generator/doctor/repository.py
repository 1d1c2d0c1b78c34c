"""The Git repository: where it is pushed, whether releases can be tagged, and what should not be in it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.adapters.git_state import GitState
from generator.adapters.shell import ProcessFailed
from generator.config.addresses import canonical
from generator.config.model import Model
from generator.doctor.finding import Finding, Findings, Fix, Severity, Subject, not_checked
from generator.errors import GeneratorError
from generator.files import OURS
from generator.version import Version

AREA = "repository"
_SECRETS = (".env", "*.pem", "id_rsa", "id_ed25519", "*.p12", "credentials.json", ".netrc", ".pypirc")


def check(subject: Subject) -> Findings:
    git = GitState(subject.root)
    if not git.is_repository():
        fix = "run `git init`, `git add --all` and `git commit`"
        yield _error("this folder is in no Git repository", str(subject.root), fix)
        return
    yield from _place(subject, git)
    if git.commit_of("HEAD") is None:
        yield _error("there is no commit yet", "HEAD", "run `git add --all` and `git commit`")
        return
    yield from _files(git)
    if git.is_shallow():
        what = "the clone is shallow: earlier releases cannot be seen in it"
        yield _warning(what, ".git/shallow", "run `git fetch --unshallow --tags`")
    yield from _origin(subject, git)


def _place(subject: Subject, git: GitState) -> Findings:
    top = git.top_level()
    if top is not None and top.resolve() != subject.root.resolve():
        fix = "move model.yaml's folder to the root, or keep one tagship.yaml there (`models: [FOLDER]`)"
        yield _error(
            "is not the repository's root: GitHub reads workflows from there alone", str(subject.root), fix
        )


def _files(git: GitState) -> Findings:
    if not git.ignores(".tagship/x"):
        what = "what stages leave behind (.tagship/) is not ignored, and would be committed"
        yield Finding(
            AREA,
            Severity.WARNING,
            what,
            ".gitignore",
            "add the line `.tagship/` (or run `generator doctor --fix`)",
            Fix.IGNORE,
        )
    if changed := git.uncommitted(*OURS_PATHS):
        what = f"generated files are not committed: {_some(changed)}"
        yield _warning(what, changed[0], "run `git add --all` and `git commit`: releases use what is committed")
    for path in git.tracked(*(f":(glob)**/{name}" for name in _SECRETS)):
        fix = f"run `git rm --cached {path}`, ignore it, and make what it held anew: history keeps it"
        yield _warning("looks like a secret, and is committed", path, fix)


# `.tagship.` begins the names of two files; as a path Git needs a pattern.
OURS_PATHS = tuple(f"{path}*" if path.endswith(".") else path for path in OURS)


def _origin(subject: Subject, git: GitState) -> Findings:
    origin = git.origin()
    if origin is None:
        fix = "run `git remote add origin ADDRESS` and `git push --set-upstream origin main`"
        yield _error("there is no remote `origin`: a tag has nowhere to go", "git remote", fix)
        return
    if git.has_login():
        fix = "run `git remote set-url origin` with the address alone, and let a credential helper keep the token"
        yield _warning("a password or token stands in the address of `origin`", ".git/config", fix)
    for model in subject.models:
        url = model.config.repository.url
        if url and canonical(url) != canonical(origin):
            fix = f"run `git remote set-url origin {url}`, or correct repository.url"
            yield _warning(f"repository.url is {url}, but origin is {origin}", model.shown, fix)
    if subject.offline:
        yield not_checked(AREA, "what origin has: run it without --offline", origin)
        return
    try:
        refs = git.at_origin()
    except ProcessFailed as error:
        why = error.stderr.strip().splitlines()
        what = f"origin does not answer ({why[-1] if why else error.code})"
        yield _error(what, origin, "check its address (`git remote -v`), your login and the network")
        return
    yield from _refs(subject, git, refs)
    yield from _overlays(subject, git)


def _overlays(subject: Subject, git: GitState) -> Findings:
    """Whether configuration repositories have the branch that is deployed to."""
    wanted = {(str(model.overlays_url), model.overlays_branch) for model in subject.models if model.separate}
    for url, branch in sorted(wanted):
        try:
            there = git.has_branch(url, branch)
        except ProcessFailed:
            fix = "check deploy.repository, your login there and the network"
            yield _warning("the configuration repository does not answer", url, fix)
            continue
        if not there:
            fix = "run `generator generate --into` a checkout of it, commit and push, or correct deploy.branch"
            yield _error(f"the configuration repository has no branch {branch}: nothing can land", url, fix)


def _refs(subject: Subject, git: GitState, refs: Mapping[str, str]) -> Findings:
    for branch in sorted({model.config.repository.branch for model in subject.models}):
        at_origin = refs.get(f"refs/heads/{branch}")
        if at_origin is None:
            fix = f"run `git push --set-upstream origin {branch}`, or correct repository.branch"
            yield _error(f"origin has no branch {branch}, which releases are tagged on", "origin", fix)
            continue
        yield from _behind(git, branch, at_origin)
        for model in subject.models:
            if model.config.repository.branch == branch:
                yield from _tags(git, model, refs, at_origin)


def _behind(git: GitState, branch: str, at_origin: str) -> Findings:
    local = git.commit_of(f"refs/heads/{branch}")
    if local is None or local == at_origin:
        return
    if git.commit_of(at_origin) is None or git.is_ancestor(local, at_origin):
        fix = f"run `git switch {branch}` and `git pull`"
        yield _warning(f"{branch} is behind origin: `generator release` would refuse", branch, fix)
    elif git.is_ancestor(at_origin, local):
        fix = f"run `git push origin {branch}`"
        yield _warning(f"{branch} has commits that origin lacks: `generator release` would refuse", branch, fix)
    else:
        fix = f"run `git pull --rebase origin {branch}` and `git push`"
        yield _warning(f"{branch} and origin's have gone different ways", branch, fix)


def _tags(git: GitState, model: Model, refs: Mapping[str, str], branch: str) -> Findings:
    names = {ref.removeprefix("refs/tags/") for ref in refs if ref.startswith("refs/tags/")} | set(git.tags())
    unknown = []
    for name in sorted(names):
        if not re.match(rf"{re.escape(model.tag_prefix)}\d", name):
            continue
        if not _is_version(name.removeprefix(model.tag_prefix)):
            fix = f"run `git tag --delete {name}` and `git push origin :refs/tags/{name}`"
            yield _warning(f"the tag {name} is no version, and its release fails", name, fix)
            continue
        at_origin = refs.get(f"refs/tags/{name}")
        if at_origin and None in (git.commit_of(at_origin), git.commit_of(branch)):
            unknown.append(name)
        yield from _tag(git, name, at_origin, branch)
    if unknown:
        what = f"whether the branch has the commits of {_some(unknown)}, which are not all here"
        yield not_checked(AREA, f"{what}: run `git fetch --tags`", "origin")


def _tag(git: GitState, name: str, at_origin: str | None, branch: str) -> Findings:
    here = git.commit_of(f"refs/tags/{name}")
    if at_origin is None:
        fix = f"run `git push origin {name}` to release it, or `git tag --delete {name}`"
        yield _warning(f"the tag {name} is only here: nothing was released", name, fix)
    elif here and here != at_origin:
        fix = f"run `git tag --delete {name}` and `git fetch origin tag {name}`: a release tag never moves"
        yield _error(f"the tag {name} is another commit here than at origin", name, fix)
    elif git.commit_of(at_origin) and git.commit_of(branch) and not git.is_ancestor(at_origin, branch):
        fix = "merge that commit, or release the branch's head under the next version (`generator release`)"
        yield _warning(f"the tag {name} is of a commit that the release branch does not have", name, fix)


def _is_version(text: str) -> bool:
    try:
        Version.parse(text)
    except GeneratorError:
        return False
    return True


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")


def _error(what: str, where: str, fix: str) -> Finding:
    return Finding(AREA, Severity.ERROR, what, where, fix)


def _warning(what: str, where: str, fix: str) -> Finding:
    return Finding(AREA, Severity.WARNING, what, where, fix)
