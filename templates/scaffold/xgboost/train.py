"""Trains a model and logs it to MLflow. Replace the two marked places with your own data and model.

The pipeline sets where MLflow writes and under which experiment, so nothing about that stands here.
Run it yourself with `python train.py`: then MLflow writes into this folder.
"""

import mlflow
import pandas as pd
import xgboost as xgb
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split

PARAMS = {"n_estimators": 100, "max_depth": 4, "learning_rate": 0.1}


def load_data() -> tuple[pd.DataFrame, pd.Series]:
    """REPLACE: read your own table here, for example with `pd.read_csv("data.csv")`."""
    data, target = load_breast_cancer(return_X_y=True, as_frame=True)
    # Plain column names: they are the keys of a prediction request.
    return data.rename(columns=lambda name: name.replace(" ", "_")), target


def main() -> None:
    data, target = load_data()
    x_train, x_test, y_train, y_test = train_test_split(
        data, target, test_size=0.25, stratify=target, random_state=0
    )

    with mlflow.start_run():
        # REPLACE: XGBRegressor for numbers instead of classes, and your own parameters.
        model = xgb.XGBClassifier(**PARAMS, random_state=0)
        model.fit(x_train, y_train)
        predictions = model.predict(x_test)
        accuracy = accuracy_score(y_test, predictions)

        mlflow.log_params(PARAMS)
        # `gate.metrics` in model.yaml sets what these must reach before a release goes on.
        mlflow.log_metric("accuracy", accuracy)
        mlflow.log_metric("roc_auc", roc_auc_score(y_test, model.predict_proba(x_test)[:, 1]))
        # The signature says which columns and types the server accepts; a few rows as the input
        # example are predicted again inside the image to check that it answers the same.
        # Left to itself MLflow would also list `xgboost`, which brings hundreds of megabytes for
        # GPUs, beside `xgboost-cpu`: so the model's requirements are named.
        mlflow.xgboost.log_model(
            model,
            "model",
            signature=infer_signature(x_train, predictions),
            input_example=x_test.head(5),
            pip_requirements="requirements.txt",
        )
    print(f"accuracy {accuracy:.3f}")


if __name__ == "__main__":
    main()
