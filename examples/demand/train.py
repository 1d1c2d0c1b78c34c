"""How many units a shop will sell tomorrow: gradient boosting on ten months of sales in three shops."""

import lightgbm as lgb
import mlflow
import pandas as pd
from mlflow.models import infer_signature
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

FEATURES = [
    "store_id",
    "item_id",
    "weekday",
    "price",
    "promotion",
    "temperature",
    "units_7_days_ago",
    "mean_units_28_days",
]
PARAMS = {"n_estimators": 200, "learning_rate": 0.05, "num_leaves": 15, "min_child_samples": 20}


def load_sales(path: str) -> pd.DataFrame:
    sales = pd.read_csv(path, parse_dates=["date"]).sort_values("date")
    sales["weekday"] = sales["date"].dt.dayofweek
    return sales


def main() -> None:
    sales = load_sales("sales.csv")
    # The last two months are the test: a forecast is judged on days that come after its training.
    split = sales["date"].max() - pd.Timedelta(days=60)
    train, test = sales[sales["date"] <= split], sales[sales["date"] > split]

    with mlflow.start_run():
        model = lgb.LGBMRegressor(**PARAMS, random_state=1, deterministic=True, force_row_wise=True, verbose=-1)
        model.fit(train[FEATURES], train["units_sold"])
        predictions = model.predict(test[FEATURES])

        rmse = root_mean_squared_error(test["units_sold"], predictions)
        mlflow.log_params(PARAMS)
        mlflow.log_metrics({"rmse": rmse, "mae": mean_absolute_error(test["units_sold"], predictions)})
        mlflow.lightgbm.log_model(
            model,
            "model",
            signature=infer_signature(train[FEATURES], predictions),
            input_example=test[FEATURES].head(5),
        )
        print(f"rmse {rmse:.2f} units")


if __name__ == "__main__":
    main()
