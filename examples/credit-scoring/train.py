# Trains the model of this example with scikit-learn and writes it as PMML (credit.pmml), together
# with some applicants (applicants.json, applicants.csv) and what scikit-learn itself says of them
# (expected.json): the probability that a loan is not paid back, and a score that falls by 40
# points when the odds of that double.
#
# The applicants are made up, by the rules below and always the same. To make the files again:
#     apt-get install -y python3-sklearn
#     /usr/bin/python3 examples/credit-scoring/train.py

import csv
import json
import os
from xml.sax.saxutils import quoteattr

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier

here = os.path.dirname(os.path.abspath(__file__))
numbers = ["age", "income", "amount", "months", "open_loans", "late_payments"]
housings = ["own", "rent", "free"]
purposes = ["car", "education", "furniture", "repairs"]
columns = (
    numbers + [f"housing={each}" for each in housings] + [f"purpose={each}" for each in purposes]
)
income_if_missing = 2400.0
score_base, points_to_double = 600.0, 40.0


def applicants(count, random):
    """Made-up people, of whom some have more trouble to pay back than others."""
    people = []
    for _ in range(count):
        people.append(
            {
                "age": int(random.integers(19, 76)),
                "income": round(float(random.lognormal(7.8, 0.45)), 2),
                "amount": int(random.integers(10, 250)) * 100,
                "months": int(random.choice([6, 12, 18, 24, 36, 48, 60])),
                "open_loans": int(random.poisson(0.9)),
                "late_payments": int(random.poisson(0.5)),
                "housing": str(random.choice(housings, p=[0.5, 0.4, 0.1])),
                "purpose": str(random.choice(purposes)),
            }
        )
    return people


def troubles(person, random):
    """Whether a loan is not paid back, by rules that the model does not know."""
    monthly = person["amount"] / person["months"]
    odds = -3.2 + 4.5 * monthly / person["income"] + 0.75 * person["late_payments"]
    odds += 0.35 * person["open_loans"] - 0.02 * (person["age"] - 40)
    odds += {"own": -0.5, "rent": 0.2, "free": 0.4}[person["housing"]]
    odds += 0.5 if person["purpose"] == "education" else 0.0
    return random.random() < 1 / (1 + np.exp(-odds))


def features(people):
    rows = []
    for person in people:
        income = person.get("income")
        row = [float(person[name]) if name != "income" else income for name in numbers]
        row[1] = income_if_missing if income is None else income
        row += [float(person["housing"] == each) for each in housings]
        row += [float(person["purpose"] == each) for each in purposes]
        rows.append(row)
    return np.array(rows)


def element(name, inner=(), /, **attributes):
    listed = "".join(
        f" {key.rstrip('_')}={quoteattr(str(value))}" for key, value in attributes.items()
    )
    if isinstance(inner, str):
        return f"<{name}{listed}>{inner}</{name}>"
    if not inner:
        return f"<{name}{listed}/>"
    lines = "\n".join("  " + line for each in inner for line in each.split("\n"))
    return f"<{name}{listed}>\n{lines}\n</{name}>"


def predicates(column, threshold):
    """What leads to the left and to the right of a split."""
    if "=" not in columns[column]:
        names = "lessOrEqual", "greaterThan"
        field, value = columns[column], repr(float(threshold))
    else:
        # The column is 1 for the category and 0 for others, split in the middle.
        names = "notEqual", "equal"
        field, value = columns[column].split("=")
    return [element("SimplePredicate", field=field, operator=each, value=value) for each in names]


def node(tree, at, predicate):
    left, right = tree.children_left[at], tree.children_right[at]
    if left == -1:
        return element("Node", [predicate], score=repr(float(tree.value[at][0][0])))
    below = predicates(tree.feature[at], tree.threshold[at])
    children = [node(tree, left, below[0]), node(tree, right, below[1])]
    return element("Node", [predicate, *children])


def schema(*targets):
    fields = []
    for name in [*numbers, "housing", "purpose"]:
        extra = {"missingValueReplacement": income_if_missing} if name == "income" else {}
        fields.append(element("MiningField", name=name, **extra))
    fields += [element("MiningField", name=each, usageType="target") for each in targets]
    return element("MiningSchema", fields)


def inner_schema():
    return element(
        "MiningSchema",
        [element("MiningField", name=each) for each in [*numbers, "housing", "purpose"]],
    )


def ensemble(model):
    """The sum of all trees, which is the logarithm of the odds."""
    trees = [
        element(
            "Segment",
            [
                element("True"),
                element(
                    "TreeModel",
                    [inner_schema(), node(each.tree_, 0, element("True"))],
                    functionName="regression",
                    missingValueStrategy="nullPrediction",
                    splitCharacteristic="binarySplit",
                ),
            ],
            id=at + 1,
        )
        for at, each in enumerate(model.estimators_[:, 0])
    ]
    prior = model.init_.class_prior_
    rescale = element(
        "Target",
        rescaleFactor=repr(float(model.learning_rate)),
        rescaleConstant=repr(float(np.log(prior[1] / prior[0]))),
    )
    result = element(
        "OutputField",
        name="log_odds",
        optype="continuous",
        dataType="double",
        feature="predictedValue",
        isFinalResult="false",
    )
    return element(
        "MiningModel",
        [
            inner_schema(),
            element("Output", [result]),
            element("Targets", [rescale]),
            element("Segmentation", trees, multipleModelMethod="sum"),
        ],
        functionName="regression",
    )


def logistic():
    """From the logarithm of the odds to a probability."""
    tables = [
        element(
            "RegressionTable",
            [element("NumericPredictor", name="log_odds", coefficient="1.0")],
            intercept="0.0",
            targetCategory="default",
        ),
        element("RegressionTable", intercept="0.0", targetCategory="paid"),
    ]
    fields = [
        element("MiningField", name="log_odds"),
        element("MiningField", name="outcome", usageType="target"),
    ]
    probability = element(
        "OutputField",
        name="probability",
        optype="continuous",
        dataType="double",
        feature="probability",
        value="default",
    )
    per_odds = points_to_double / np.log(2)
    score = element(
        "Apply",
        [
            element("Constant", repr(score_base), dataType="double"),
            element(
                "Apply",
                [
                    element("Constant", repr(float(per_odds)), dataType="double"),
                    element("FieldRef", field="log_odds"),
                ],
                function="*",
            ),
        ],
        function="-",
    )
    points = element(
        "OutputField",
        [element("Apply", [score], function="round")],
        name="score",
        optype="continuous",
        dataType="integer",
        feature="transformedValue",
    )
    return element(
        "RegressionModel",
        [element("MiningSchema", fields), element("Output", [probability, points]), *tables],
        functionName="classification",
        normalizationMethod="logit",
    )


def verification(people, results):
    """Some applicants with what scikit-learn says: Sluice refuses the file unless it agrees."""
    names = {**people[0], **results[0]}
    fields = [element("VerificationField", field=each, column=each) for each in names]
    rows = [
        element("row", [element(name, str(value)) for name, value in {**one, **other}.items()])
        for one, other in zip(people, results)
    ]
    return element(
        "ModelVerification",
        [element("VerificationFields", fields), element("InlineTable", rows)],
        recordCount=len(rows),
        fieldCount=len(fields),
    )


def answers(model, people):
    """What the model says of these people, without PMML."""
    rows = features(people)
    return [
        {
            "outcome": "default" if chance > 0.5 else "paid",
            "probability": float(chance),
            "score": int(np.floor(score_base - points_to_double / np.log(2) * odd + 0.5)),
        }
        for odd, chance in zip(model.decision_function(rows), model.predict_proba(rows)[:, 1])
    ]


def document(model, people):
    kinds = {
        "age": "integer",
        "amount": "integer",
        "months": "integer",
        "open_loans": "integer",
        "late_payments": "integer",
    }
    fields = [
        element("DataField", name=name, optype="continuous", dataType=kinds.get(name, "double"))
        for name in numbers
    ]
    choices = {"housing": housings, "purpose": purposes, "outcome": ["default", "paid"]}
    fields += [
        element(
            "DataField",
            [element("Value", value=each) for each in values],
            name=name,
            optype="categorical",
            dataType="string",
        )
        for name, values in choices.items()
    ]
    chain = element(
        "Segmentation",
        [
            element("Segment", [element("True"), ensemble(model)], id="trees"),
            element("Segment", [element("True"), logistic()], id="probability"),
        ],
        multipleModelMethod="modelChain",
    )
    mining = element(
        "MiningModel",
        [schema("outcome"), chain, verification(people, answers(model, people))],
        modelName="credit risk",
        functionName="classification",
        algorithmName="sklearn.ensemble.GradientBoostingClassifier",
    )
    about = (
        "The risk that a consumer loan is not paid back: a sum of 40 trees over made-up applicants."
    )
    header = element(
        "Header",
        [element("Application", name="examples/credit-scoring/train.py")],
        copyright="Sluice",
        description=about,
    )
    return element(
        "PMML",
        [header, element("DataDictionary", fields, numberOfFields=len(fields)), mining],
        version="4.4",
        xmlns="http://www.dmg.org/PMML-4_4",
    )


def main():
    random = np.random.default_rng(20)
    people = applicants(4000, random)
    outcomes = np.array([troubles(each, random) for each in people])
    model = GradientBoostingClassifier(
        n_estimators=40, max_depth=3, learning_rate=0.2, random_state=0
    )
    # 0 is paid, 1 is default.
    model.fit(features(people), outcomes.astype(int))
    with open(os.path.join(here, "credit.pmml"), "w") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n' + document(model, people[:10]) + "\n")

    new = applicants(6, random)
    del new[2]["income"]
    for name, rows in [("applicants", new), ("expected", answers(model, new))]:
        with open(os.path.join(here, name + ".json"), "w") as file:
            file.write(json.dumps(rows, indent=2) + "\n")
    with open(os.path.join(here, "applicants.csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, [*numbers, "housing", "purpose"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(new)


main()
