"""Which customers will leave: a random forest on billing and contract data."""

import hashlib
import os
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split

N_ESTIMATORS = int(os.environ.get("N_ESTIMATORS", "100"))
MAX_DEPTH = 8

mlflow.set_experiment(os.environ.get("EXPERIMENT_NAME", "churn"))

DATA = Path("customers.csv")
customers = pd.read_csv(DATA)
X = customers.drop(columns=["customer_id", "churned"])
y = customers["churned"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, stratify=y, random_state=42)

with mlflow.start_run():
    # The release's data hash comes from this digest. MLflow's own would look at the first 10,000 rows only.
    digest = hashlib.sha256(DATA.read_bytes()).hexdigest()[:32]
    mlflow.log_input(mlflow.data.from_pandas(customers, name="customers", digest=digest), "training")

    model = RandomForestClassifier(n_estimators=N_ESTIMATORS, max_depth=MAX_DEPTH, random_state=42)
    model.fit(X_train, y_train)

    predictions = model.predict(X_test)
    accuracy = accuracy_score(y_test, predictions)
    roc_auc = roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])

    mlflow.log_params({"n_estimators": N_ESTIMATORS, "max_depth": MAX_DEPTH})
    mlflow.log_metrics({"accuracy": accuracy, "roc_auc": roc_auc})
    mlflow.sklearn.log_model(
        model,
        "model",
        signature=infer_signature(X_train, predictions),
        input_example=X_test.head(20),
    )
    print(f"accuracy {accuracy:.3f}, ROC AUC {roc_auc:.3f}")
