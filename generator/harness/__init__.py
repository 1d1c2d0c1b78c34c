"""What the command asks the training environment's own MLflow: close, collect, convert, register and source.

A tracking database belongs to the MLflow that wrote it, so this runs with the *user's* Python, as
`<env>/bin/python <this folder> COMMAND REQUEST.json RESPONSE.json`. It needs the standard library and
mlflow (Python 3.10 to 3.13, MLflow 2.9 and later), imports nothing else of `generator`, and answers with
one JSON object: `{"ok": true, ...}` or `{"ok": false, "problem": {"kind": ..., facts}}`. The command
turns kinds and facts into sentences.
"""
