"""CloudFormation: what a stack is now, and changes of it as change sets that are shown before they are made."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from generator.adapters.aws import Aws, Refused
from generator.errors import GeneratorError

_NOTHING = ("didn't contain changes", "No updates are to be performed")
_LONGEST = 30 * 60  # seconds; roles and a repository take less than one minute


@dataclass(frozen=True)
class Stack:
    """A stack as it is deployed."""

    name: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    template: str
    resources: Mapping[str, str]  # physical names by logical ones


@dataclass(frozen=True)
class Change:
    """One line of a change set."""

    action: str  # Add, Modify, Remove, Import
    logical: str
    kind: str
    physical: str
    replaced: str  # True, False, Conditional, or nothing


@dataclass(frozen=True)
class ChangeSet:
    """A change that is worked out and not made yet."""

    stack: str
    name: str
    new: bool  # the stack does not exist before it
    changes: tuple[Change, ...]


class CloudFormation:
    """The stacks of one account in one region. `pause`: seconds between two looks."""

    def __init__(self, aws: Aws, *, pause: float = 2) -> None:
        self._aws, self._pause = aws, pause

    def find(self, name: str) -> Stack | None:
        """The stack; None where there is none, or nothing but a change set that was never made."""
        found = self._describe(name)
        if found is None or found["StackStatus"] in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE"):
            return None
        template = self._call("get_template", name, TemplateStage="Original")["TemplateBody"]
        listed = self._call("list_stack_resources", name)["StackResourceSummaries"]
        return Stack(
            name=name,
            status=str(found["StackStatus"]),
            parameters={item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", ())},
            outputs=_outputs(found),
            template=template if isinstance(template, str) else "",
            resources={
                str(item["LogicalResourceId"]): str(item.get("PhysicalResourceId", ""))
                for item in listed
                if item["LogicalResourceId"] and item.get("ResourceStatus") != "DELETE_COMPLETE"
            },
        )

    def propose(
        self, name: str, template: str, parameters: Mapping[str, str], *, new: bool, tags: Mapping[str, str]
    ) -> ChangeSet | None:
        """Works out what would change; None when nothing would."""
        made = ChangeSet(name, f"tagship-{uuid.uuid4().hex[:12]}", new, ())
        try:
            self._call(
                "create_change_set",
                name,
                ChangeSetName=made.name,
                ChangeSetType="CREATE" if new else "UPDATE",
                TemplateBody=template,
                Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
                Capabilities=["CAPABILITY_NAMED_IAM"],
            )
        except Refused as error:
            if _is_nothing(str(error)):
                return None
            raise
        found = self._wait(
            lambda: self._call("describe_change_set", name, ChangeSetName=made.name),
            lambda answer: not str(answer["Status"]).endswith(("_PENDING", "_IN_PROGRESS")),
        )
        if found["Status"] == "FAILED":
            self.discard(made)
            reason = str(found.get("StatusReason", "no reason given"))
            if _is_nothing(reason):
                return None
            raise GeneratorError(f"CloudFormation cannot work out the change of {name}: {reason}")
        return replace(made, changes=tuple(_change(item) for item in found.get("Changes", ())))

    def discard(self, change_set: ChangeSet) -> None:
        """Forgets a change; a stack that would have been made by it goes, too."""
        self._call("delete_change_set", change_set.stack, ChangeSetName=change_set.name)
        if change_set.new:
            self._call("delete_stack", change_set.stack)

    def execute(self, change_set: ChangeSet, say: Callable[[str], None]) -> Mapping[str, str]:
        """Makes the change, says what happens, and returns the stack's outputs."""
        name = change_set.stack
        seen = {event["EventId"] for event in self._events(name)}
        self._call("execute_change_set", name, ChangeSetName=change_set.name)
        failed: list[str] = []

        def look() -> str | None:
            """How the stack itself ended, by an event of its own: its status may still be the one before."""
            ended = None
            for event in reversed(self._events(name)):
                if event["EventId"] not in seen:
                    seen.add(event["EventId"])
                    status, line = str(event["ResourceStatus"]), _told(event)
                    say(line)
                    failed.extend([line] if status.endswith("_FAILED") else [])
                    if event["LogicalResourceId"] == name and not status.endswith("_IN_PROGRESS"):
                        ended = status
            return ended

        if self._wait(look, bool) not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            reasons = "\n".join(failed) or "its events in the console say why"
            raise GeneratorError(f"the stack {name} was not changed as planned:\n{reasons}")
        return _outputs(self._describe(name))

    def _describe(self, name: str) -> Any:
        try:
            return self._call("describe_stacks", name)["Stacks"][0]
        except Refused as error:
            if error.code == "ValidationError" and "does not exist" in str(error):
                return None
            raise

    def _events(self, name: str) -> list[Any]:
        return list(self._call("describe_stack_events", name)["StackEvents"])

    def _wait(self, look: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
        until = time.monotonic() + _LONGEST
        while not done(answer := look()):
            if time.monotonic() > until:
                raise GeneratorError("CloudFormation took longer than half an hour; look into the console")
            time.sleep(self._pause)
        return answer

    def _call(self, operation: str, stack: str, **arguments: Any) -> Any:
        return self._aws.call("cloudformation", operation, on=f"the stack {stack}", StackName=stack, **arguments)


def _is_nothing(reason: str) -> bool:
    """A change set without a change is a failure to AWS, told in one of two ways."""
    return any(words in reason for words in _NOTHING)


def _outputs(found: Any) -> dict[str, str]:
    return {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs") or ()}


def _change(item: Any) -> Change:
    change = item["ResourceChange"]
    return Change(
        action=str(change["Action"]),
        logical=str(change["LogicalResourceId"]),
        kind=str(change["ResourceType"]),
        physical=str(change.get("PhysicalResourceId", "")),
        replaced=str(change.get("Replacement", "")),
    )


def _told(event: Any) -> str:
    """An event as a line."""
    status, reason = str(event["ResourceStatus"]).lower().replace("_", " "), event.get("ResourceStatusReason")
    return f"{event['LogicalResourceId']}: {status}" + (f" ({reason})" if reason else "")
