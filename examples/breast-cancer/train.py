"""Malignant or benign: logistic regression on the Wisconsin breast cancer data that scikit-learn brings."""

import mlflow
from mlflow.models import infer_signature
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X.columns = [name.replace(" ", "_") for name in X.columns]
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)

    with mlflow.start_run(run_name="logistic-regression"):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5, max_iter=1000))
        model.fit(X_train, y_train)
        predictions = model.predict(X_test)

        mlflow.log_param("C", 0.5)
        mlflow.log_metric("accuracy", accuracy_score(y_test, predictions))
        # In this data 0 is malignant: the share of tumours that the model finds.
        mlflow.log_metric("malignant_recall", recall_score(y_test, predictions, pos_label=0))
        mlflow.sklearn.log_model(
            model,
            "model",
            signature=infer_signature(X_train, predictions),
            input_example=X_test.head(5),
        )


if __name__ == "__main__":
    main()
