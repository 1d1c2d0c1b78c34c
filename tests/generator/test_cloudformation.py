"""What CloudFormation answers when something goes wrong; answers come from botocore's own Stubber."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import ANY, Stubber

from generator.adapters.aws import Aws, Refused
from generator.adapters.cloudformation import ChangeSet, CloudFormation
from generator.errors import GeneratorError

STACK = "tagship-churn"


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client(
        "cloudformation", region_name="eu-north-1", aws_access_key_id="key", aws_secret_access_key="secret",
        config=Config(retries={"max_attempts": 1}),
    )  # fmt: skip
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def stacks(stub: Stubber) -> CloudFormation:
    aws = Aws("eu-north-1", needs="a test", allow="in the test", cloudformation=stub.client)
    return CloudFormation(aws, pause=0)


def propose(stub: Stubber, *, new: bool) -> ChangeSet | None:
    return stacks(stub).propose(STACK, "template", {"Model": "churn"}, new=new, tags={})


def described(status: str, reason: str = "") -> dict[str, Any]:
    return {"Status": status, "StatusReason": reason, "Changes": []}


def event(number: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": "id", "EventId": str(number), "StackName": STACK, "LogicalResourceId": name,
        "ResourceStatus": status, "ResourceStatusReason": reason, "Timestamp": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip


def test_a_change_set_takes_its_time(stub: Stubber) -> None:
    stub.add_response("create_change_set", {"Id": "arn", "StackId": "arn"})
    stub.add_response("describe_change_set", described("CREATE_PENDING"))
    stub.add_response("describe_change_set", described("CREATE_IN_PROGRESS"))
    stub.add_response("describe_change_set", described("CREATE_COMPLETE"))
    assert propose(stub, new=False)


@pytest.mark.parametrize(
    "reason", ["The submitted information didn't contain changes. Submit …", "No updates are to be performed."]
)
def test_a_change_set_without_a_change_is_taken_away(stub: Stubber, reason: str) -> None:
    stub.add_response("create_change_set", {"Id": "arn", "StackId": "arn"})
    stub.add_response("describe_change_set", described("FAILED", reason))
    stub.add_response("delete_change_set", {}, {"StackName": STACK, "ChangeSetName": ANY})
    assert propose(stub, new=False) is None


def test_a_change_that_cannot_be_made_leaves_no_empty_stack(stub: Stubber) -> None:
    stub.add_response("create_change_set", {"Id": "arn", "StackId": "arn"})
    stub.add_response("describe_change_set", described("FAILED", "Unresolved resource dependencies"))
    stub.add_response("delete_change_set", {}, {"StackName": STACK, "ChangeSetName": ANY})
    stub.add_response("delete_stack", {}, {"StackName": STACK})
    with pytest.raises(GeneratorError, match=f"the change of {STACK}: Unresolved resource dependencies"):
        propose(stub, new=True)


def test_a_failed_change_says_what_failed(stub: Stubber) -> None:
    before = [event(1, STACK, "REVIEW_IN_PROGRESS")]
    begun = [event(2, STACK, "CREATE_IN_PROGRESS"), *before]
    failed = [event(3, "ReleaseRole", "CREATE_FAILED", "churn-release already exists"), *begun]
    ended = [event(5, STACK, "ROLLBACK_COMPLETE"), event(4, STACK, "ROLLBACK_IN_PROGRESS"), *failed]
    stub.add_response("describe_stack_events", {"StackEvents": before})
    stub.add_response("execute_change_set", {}, {"StackName": STACK, "ChangeSetName": "c"})
    for events in (before, begun, failed, ended):
        stub.add_response("describe_stack_events", {"StackEvents": events})
    said: list[str] = []
    with pytest.raises(GeneratorError) as caught:
        stacks(stub).execute(ChangeSet(STACK, "c", True, ()), said.append)
    assert str(caught.value) == (
        f"the stack {STACK} was not changed as planned:\nReleaseRole: create failed (churn-release already exists)"
    )
    assert [line.split(": ")[1].split(" (")[0] for line in said] == [
        "create in progress", "create failed", "rollback in progress", "rollback complete",
    ]  # fmt: skip


def test_the_status_before_is_not_taken_for_the_end(stub: Stubber) -> None:
    before = [event(1, STACK, "UPDATE_COMPLETE")]
    stub.add_response("describe_stack_events", {"StackEvents": before})
    stub.add_response("execute_change_set", {})
    stub.add_response("describe_stack_events", {"StackEvents": before})
    cleaning = [event(2, STACK, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), *before]
    stub.add_response("describe_stack_events", {"StackEvents": cleaning})
    stub.add_response("describe_stack_events", {"StackEvents": [event(3, STACK, "UPDATE_COMPLETE"), *cleaning]})
    created = datetime(2026, 1, 1, tzinfo=UTC)
    outputs = [{"OutputKey": "ReleaseRoleArn", "OutputValue": "arn"}]
    stack = {"StackName": STACK, "CreationTime": created, "StackStatus": "UPDATE_COMPLETE", "Outputs": outputs}
    stub.add_response("describe_stacks", {"Stacks": [stack]})
    done = stacks(stub).execute(ChangeSet(STACK, "c", False, ()), lambda line: None)
    assert done == {"ReleaseRoleArn": "arn"}


def test_a_missing_right_is_named(stub: Stubber) -> None:
    stub.add_client_error("describe_stacks", "AccessDenied")
    with pytest.raises(
        Refused, match=f"AWS denies cloudformation:DescribeStacks: allow it on the stack {STACK} in"
    ):
        stacks(stub).find(STACK)
