"""Trains a model and logs it to MLflow. Replace the two marked places with your own data and model.

The pipeline sets where MLflow writes and under which experiment, so nothing about that stands here.
Run it yourself with `python train.py`: then MLflow writes into this folder.
"""

import lightgbm as lgb
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.datasets import load_diabetes
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

PARAMS = {"n_estimators": 100, "learning_rate": 0.05, "num_leaves": 7}


def load_data() -> tuple[pd.DataFrame, pd.Series]:
    """REPLACE: read your own table here, for example with `pd.read_csv("data.csv")`."""
    return load_diabetes(return_X_y=True, as_frame=True)


def main() -> None:
    data, target = load_data()
    x_train, x_test, y_train, y_test = train_test_split(data, target, test_size=0.25, random_state=0)

    with mlflow.start_run():
        # REPLACE: LGBMClassifier for classes instead of numbers, and your own parameters.
        model = lgb.LGBMRegressor(**PARAMS, random_state=0, verbose=-1)
        model.fit(x_train, y_train)
        predictions = model.predict(x_test)
        rmse = root_mean_squared_error(y_test, predictions)

        mlflow.log_params(PARAMS)
        # `gate.metrics` in model.yaml sets what these must reach before a release goes on.
        mlflow.log_metric("rmse", rmse)
        mlflow.log_metric("r2", r2_score(y_test, predictions))
        # The signature says which columns and types the server accepts; a few rows as the input
        # example are predicted again inside the image to check that it answers the same.
        mlflow.lightgbm.log_model(
            model,
            "model",
            signature=infer_signature(x_train, predictions),
            input_example=x_test.head(5),
        )
    print(f"rmse {rmse:.1f}")


if __name__ == "__main__":
    main()
