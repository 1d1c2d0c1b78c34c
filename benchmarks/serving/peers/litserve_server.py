"""The model behind LitServe, as its documentation shows it. Runs in LitServe's environment.

usage: python litserve_server.py MODEL PORT [batching]
"""

import sys

import joblib
import litserve
import numpy as np


class Plain(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002 - LitServe's
        self.model = joblib.load(sys.argv[1])

    def decode_request(self, request):
        return np.array(request["input"])

    def predict(self, x):
        return self.model.predict(x)

    def encode_response(self, output):
        return {"output": output.tolist()}


class Batched(Plain):
    """Requests of any number of rows together; without `batch` LitServe takes only those of equal shape."""

    def batch(self, inputs):
        return inputs

    def predict(self, inputs):
        ends = np.cumsum([len(x) for x in inputs])[:-1]
        return np.split(self.model.predict(np.concatenate(inputs)), ends)

    def unbatch(self, output):
        return output


if __name__ == "__main__":
    api = Batched(max_batch_size=64, batch_timeout=0.01) if sys.argv[3:] == ["batching"] else Plain()
    # The queue that LitServe recommends from a hundred requests a second on.
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), num_api_servers=1, generate_client_file=False)
