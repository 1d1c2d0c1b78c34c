"""`close`: runs that an earlier attempt left running are marked killed, so that none looks alive."""

from typing import Any

from . import stores


def close(request: dict[str, Any]) -> dict[str, Any]:
    uri = request["tracking_uri"]
    if not stores.exists(uri):
        return {"closed": []}
    client = stores.open_client(uri)
    ids = [experiment.experiment_id for experiment in stores.experiments(client)]
    condition = f"tags.`tagship.release` = '{request['release']}' and attributes.status = 'RUNNING'"
    closed = []
    for run in stores.search_runs(client, ids, condition):
        if run.data.tags.get("tagship.attempt") != str(request["attempt"]):
            client.set_terminated(run.info.run_id, "KILLED")
            closed.append(run.info.run_id)
    return {"closed": closed}
