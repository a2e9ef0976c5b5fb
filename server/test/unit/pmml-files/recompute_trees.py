# As recompute.py, for trees, regressions and ensembles.
#
#     /usr/bin/python3 server/test/unit/pmml-files/recompute_trees.py

import numpy as np
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from recompute import named, number, output, predicted, probabilities, save, schema, tag, text

species = ["setosa", "versicolor", "virginica"]
iris = load_iris()
columns = ["Sepal.Length", "Sepal.Width", "Petal.Length", "Petal.Width"]
labels = np.array(species)[iris.target]
shown = list(range(3, 150, 12))
iris_rows = [dict(zip(columns, map(float, iris.data[at]))) for at in shown]


def simple(field, operator, value):
    return tag("SimplePredicate", field=field, operator=operator, value=value)


def floats(names):
    """sklearn2pmml casts inputs of trees to 32 bits, as scikit-learn does itself."""
    return [
        tag(
            "DerivedField",
            tag("FieldRef", field=name),
            name=f"float({name})",
            optype="continuous",
            dataType="float",
        )
        for name in names
    ]


def nodes(tree, names, leaf, at=0, predicate=None, compact=False):
    """A tree of scikit-learn; compact, the right branch is what no child of a node fits."""
    predicate = predicate or tag("True")
    left, right = tree.children_left[at], tree.children_right[at]
    if left == -1:
        return leaf(tree, at, predicate, [])
    field, threshold = names[tree.feature[at]], float(tree.threshold[at])
    low = nodes(tree, names, leaf, left, simple(field, "lessOrEqual", threshold), compact)
    if not compact:
        high = nodes(tree, names, leaf, right, simple(field, "greaterThan", threshold))
        return leaf(tree, at, predicate, [low, high], inner=True)
    # The node takes over the score of its right branch, and that branch's own children.
    children, rest = [low], right
    while tree.children_left[rest] != -1:
        name, value = names[tree.feature[rest]], float(tree.threshold[rest])
        test = simple(name, "lessOrEqual", value)
        children.append(nodes(tree, names, leaf, tree.children_left[rest], test, compact))
        rest = tree.children_right[rest]
    return leaf(tree, rest, predicate, children)


def score_leaf(tree, at, predicate, children, inner=False):
    attributes = {} if inner else {"score": float(tree.value[at][0][0])}
    return tag("Node", [predicate, *children], **attributes)


def class_leaf(values):
    def leaf(tree, at, predicate, children, inner=False):
        counts = tree.value[at][0]
        if inner:
            return tag("Node", [predicate, *children], id=at)
        shares = [
            tag("ScoreDistribution", value=value, recordCount=float(count))
            for value, count in zip(values, counts)
        ]
        return tag(
            "Node",
            [predicate, *shares, *children],
            id=at,
            score=values[int(np.argmax(counts))],
            recordCount=float(counts.sum()),
        )

    return leaf


def tree_model(tree, names, leaf, function, fields, **attributes):
    compact = attributes.get("noTrueChildStrategy") == "returnLastPrediction"
    return tag(
        "TreeModel",
        [schema(fields), nodes(tree, names, leaf, compact=compact)],
        functionName=function,
        **attributes,
    )


def segments(models, method, **attributes):
    inside = [tag("Segment", [tag("True"), model], id=at + 1) for at, model in enumerate(models)]
    return tag("Segmentation", inside, multipleModelMethod=method, **attributes)


def iris_fields():
    return [text("Species", species), *[number(name) for name in columns]]


def tree_sklearn():
    trained = DecisionTreeClassifier(random_state=3, min_samples_leaf=3).fit(iris.data, labels)
    derived = floats(columns)
    names = [f"float({name})" for name in columns]
    model = tag(
        "TreeModel",
        [
            schema(columns, "Species"),
            output(*probabilities(species)),
            tag("LocalTransformations", derived),
            nodes(trained.tree_, names, class_leaf(species)),
        ],
        functionName="classification",
        missingValueStrategy="nullPrediction",
        splitCharacteristic="binarySplit",
    )
    shares = trained.predict_proba(iris.data[shown])
    expected = [
        {"Species": str(trained.predict([iris.data[at]])[0]), **named(species, share)}
        for at, share in zip(shown, shares)
    ]
    save("tree-sklearn", "JPMML-SkLearn", "4.4", iris_fields(), model, iris_rows, expected)


def forest_sklearn():
    forest = RandomForestClassifier(5, random_state=1, max_depth=4).fit(iris.data, labels)
    names = [f"float({name})" for name in columns]
    trees = [
        tree_model(each.tree_, names, class_leaf(species), "classification", names)
        for each in forest.estimators_
    ]
    model = tag(
        "MiningModel",
        [
            schema(columns, "Species"),
            output(*probabilities(species)),
            tag("LocalTransformations", floats(columns)),
            segments(trees, "average", missingPredictionTreatment="returnMissing"),
        ],
        functionName="classification",
        algorithmName="sklearn.ensemble._forest.RandomForestClassifier",
    )
    shares = forest.predict_proba(iris.data[shown])
    expected = [
        {"Species": str(label), **named(species, share)}
        for label, share in zip(forest.predict(iris.data[shown]), shares)
    ]
    save("forest-sklearn", "JPMML-SkLearn", "4.4", iris_fields(), model, iris_rows, expected)


def forest_r():
    """randomForest of R votes: the share of trees for a category is its probability."""
    forest = RandomForestClassifier(7, random_state=5, max_depth=3).fit(iris.data, labels)
    trees = [
        tree_model(
            each.tree_,
            columns,
            class_leaf(species),
            "classification",
            columns,
            splitCharacteristic="binarySplit",
        )
        for each in forest.estimators_
    ]
    model = tag(
        "MiningModel",
        [
            schema(columns, "Species", usage="predicted"),
            output(predicted("Predicted_Species"), *probabilities(species, "Probability_{}")),
            segments(trees, "majorityVote"),
        ],
        functionName="classification",
        algorithmName="randomForest",
    )
    votes = np.zeros((len(shown), 3))
    for each in forest.estimators_:
        for row, vote in enumerate(each.predict(iris.data[shown].astype(np.float32))):
            votes[row][int(vote)] += 1 / 7
    expected = [
        {"Predicted_Species": species[int(np.argmax(vote))]}
        | named(species, vote, "Probability_{}")
        for vote in votes
    ]
    save("forest-r", "R pmml", "4.2", iris_fields(), model, iris_rows, expected)


def boosting_sklearn():
    data = load_diabetes()
    names = data.feature_names
    forest = GradientBoostingRegressor(n_estimators=8, max_depth=3, random_state=2)
    forest.fit(data.data, data.target)
    start = float(forest.init_.constant_[0][0])
    trees = [
        tree_model(
            each[0].tree_,
            [f"float({name})" for name in names],
            score_leaf,
            "regression",
            [f"float({name})" for name in names],
            noTrueChildStrategy="returnLastPrediction",
        )
        for each in forest.estimators_
    ]
    target = tag("Target", field="progression", rescaleFactor=0.1, rescaleConstant=start)
    model = tag(
        "MiningModel",
        [
            schema(names, "progression"),
            tag("Targets", [target]),
            tag("LocalTransformations", floats(names)),
            segments(trees, "sum"),
        ],
        functionName="regression",
    )
    chosen = list(range(0, 440, 40))
    rows = [dict(zip(names, map(float, data.data[at]))) for at in chosen]
    expected = [{"progression": float(each)} for each in forest.predict(data.data[chosen])]
    fields = [number("progression"), *[number(name) for name in names]]
    save("boosting-sklearn", "JPMML-SkLearn", "4.4", fields, model, rows, expected)
    average = RandomForestRegressor(4, max_depth=3, random_state=2).fit(data.data, data.target)
    trees = [
        tree_model(each.tree_, names, score_leaf, "regression", names)
        for each in average.estimators_
    ]
    model = tag(
        "MiningModel",
        [schema(names, "progression"), segments(trees, "average")],
        functionName="regression",
    )
    fields = [number("progression")] + [
        tag("DataField", name=name, optype="continuous", dataType="float") for name in names
    ]
    expected = [{"progression": float(each)} for each in average.predict(data.data[chosen])]
    save("forest-spark", "JPMML-SparkML", "4.3", fields, model, rows, expected)


def boosting_classes():
    """As JPMML writes boosted trees for two categories: sums, then a chained logistic link."""
    data = iris.data[50:]
    target = labels[50:]
    forest = GradientBoostingClassifier(n_estimators=6, max_depth=2, random_state=4)
    forest.fit(data, target)
    start = float(np.log(50 / 50))
    trees = [
        tree_model(
            each[0].tree_,
            columns,
            score_leaf,
            "regression",
            columns,
            missingValueStrategy="none",
            noTrueChildStrategy="returnLastPrediction",
        )
        for each in forest.estimators_
    ]
    value = tag(
        "OutputField",
        name="decisionFunction(virginica)",
        optype="continuous",
        dataType="double",
        isFinalResult="false",
    )
    sums = tag(
        "MiningModel",
        [
            schema(columns),
            output(value),
            tag("Targets", [tag("Target", rescaleFactor=0.1, rescaleConstant=start)]),
            segments(trees, "sum"),
        ],
        functionName="regression",
    )
    predictor = tag("NumericPredictor", name="decisionFunction(virginica)", coefficient="1.0")
    link = tag(
        "RegressionModel",
        [
            schema(["decisionFunction(virginica)"], "Species"),
            output(*probabilities(species[1:])),
            tag("RegressionTable", [predictor], intercept="0.0", targetCategory="virginica"),
            tag("RegressionTable", intercept="0.0", targetCategory="versicolor"),
        ],
        functionName="classification",
        normalizationMethod="logit",
    )
    model = tag(
        "MiningModel",
        [schema(columns, "Species"), segments([sums, link], "modelChain")],
        functionName="classification",
    )
    chosen = list(range(1, 100, 9))
    # The trees of scikit-learn see 32 bits; none of these rows lies between.
    expected = [
        {"Species": str(label), **named(species[1:], share)}
        for label, share in zip(forest.predict(data[chosen]), forest.predict_proba(data[chosen]))
    ]
    rows = [dict(zip(columns, map(float, data[at]))) for at in chosen]
    fields = [text("Species", species[1:]), *[number(name) for name in columns]]
    save("boosting-chain", "JPMML-SkLearn", "4.3", fields, model, rows, expected)


def constant(value):
    return tag("Constant", value, dataType="double")


def apply(function, *arguments):
    return tag("Apply", arguments, function=function)


def logistic_sklearn():
    scaler = StandardScaler().fit(iris.data)
    trained = LogisticRegression(max_iter=500).fit(scaler.transform(iris.data), labels)
    derived = [
        tag(
            "DerivedField",
            apply(
                "/",
                apply("-", tag("FieldRef", field=name), constant(float(scaler.mean_[at]))),
                constant(float(scaler.scale_[at])),
            ),
            name=f"standardScaler({name})",
            optype="continuous",
            dataType="double",
        )
        for at, name in enumerate(columns)
    ]
    tables = [
        tag(
            "RegressionTable",
            [
                tag(
                    "NumericPredictor",
                    name=f"standardScaler({name})",
                    coefficient=float(trained.coef_[row][at]),
                )
                for at, name in enumerate(columns)
            ],
            intercept=float(trained.intercept_[row]),
            targetCategory=category,
        )
        for row, category in enumerate(species)
    ]
    model = tag(
        "RegressionModel",
        [
            schema(columns, "Species"),
            output(*probabilities(species)),
            tag("LocalTransformations", derived),
            *tables,
        ],
        functionName="classification",
        normalizationMethod="softmax",
    )
    data = scaler.transform(iris.data[shown])
    expected = [
        {"Species": str(label), **named(species, share)}
        for label, share in zip(trained.predict(data), trained.predict_proba(data))
    ]
    save("logistic-sklearn", "JPMML-SkLearn", "4.4", iris_fields(), model, iris_rows, expected)


def linear_r():
    """lm(Petal.Width ~ Species + Petal.Length + I(Sepal.Width^2) + Petal.Length:Sepal.Width)"""
    x = iris.data
    matrix = np.column_stack(
        [
            labels == "versicolor",
            labels == "virginica",
            x[:, 2],
            x[:, 1] ** 2,
            x[:, 2] * x[:, 1],
        ]
    ).astype(float)
    trained = LinearRegression().fit(matrix, x[:, 3])
    weights = [float(each) for each in trained.coef_]
    table = tag(
        "RegressionTable",
        [
            tag("NumericPredictor", name="Petal.Length", exponent=1, coefficient=weights[2]),
            tag("NumericPredictor", name="Sepal.Width", exponent=2, coefficient=weights[3]),
            tag(
                "CategoricalPredictor",
                name="Species",
                value="versicolor",
                coefficient=weights[0],
            ),
            tag("CategoricalPredictor", name="Species", value="virginica", coefficient=weights[1]),
            tag(
                "PredictorTerm",
                [tag("FieldRef", field="Petal.Length"), tag("FieldRef", field="Sepal.Width")],
                coefficient=weights[4],
            ),
        ],
        intercept=float(trained.intercept_),
    )
    inputs = ["Species", "Petal.Length", "Sepal.Width"]
    model = tag(
        "RegressionModel",
        [
            schema(inputs, "Petal.Width", usage="predicted"),
            output(predicted("Predicted_Petal.Width", "double")),
            table,
        ],
        functionName="regression",
        algorithmName="least squares",
        modelName="lm_Model",
    )
    rows = [
        {"Species": str(labels[at]), "Petal.Length": float(x[at][2]), "Sepal.Width": float(x[at][1])}
        for at in shown
    ]
    answers = trained.predict(matrix[shown])
    expected = [{"Predicted_Petal.Width": float(each)} for each in answers]
    save("linear-r", "R pmml", "4.2", iris_fields(), model, rows, expected)


if __name__ == "__main__":
    tree_sklearn()
    forest_sklearn()
    forest_r()
    boosting_sklearn()
    boosting_classes()
    logistic_sklearn()
    linear_r()
