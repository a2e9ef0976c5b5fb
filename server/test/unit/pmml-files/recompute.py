# Makes the models in this folder (NAME.pmml) and what they must answer (NAME.json), without any
# PMML evaluator: by scikit-learn where it trained the model, else by numpy and scipy from the same
# numbers. The files have the shapes that R's pmml, sklearn2pmml, Spark and KNIME write, as far as
# their public documentation shows them; none was written by these programs.
#
# Recipe (Debian bookworm): apt-get install -y python3-sklearn
#     /usr/bin/python3 server/test/unit/pmml-files/recompute.py
# With the same versions (scikit-learn 1.2.1, numpy 1.24.2, scipy 1.10.1) nothing changes.

import json
import os
import re
import warnings

import numpy as np
from scipy.special import expit
from scipy.stats import cauchy, gumbel_l, gumbel_r, norm
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.neural_network import MLPClassifier, MLPRegressor

here = os.path.dirname(os.path.abspath(__file__))
warnings.filterwarnings("ignore")


def tag(name, inner="", /, **attributes):
    """One element; `from_` stands for a word that Python keeps to itself."""
    listed = "".join(f' {key.rstrip("_")}="{shown(value)}"' for key, value in attributes.items())
    if isinstance(inner, (list, tuple)):
        inner = "".join("\n" + each for each in inner) + "\n" if inner else ""
    return f"<{name}{listed}>{inner}</{name}>" if inner else f"<{name}{listed}/>"


def shown(value):
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def array(numbers, kind="real"):
    return tag("Array", " ".join(shown(each) for each in numbers), n=len(numbers), type=kind)


def number(name):
    return tag("DataField", name=name, optype="continuous", dataType="double")


def text(name, values):
    return tag(
        "DataField",
        [tag("Value", value=each) for each in values],
        name=name,
        optype="categorical",
        dataType="string",
    )


def schema(inputs, target=None, usage="target"):
    fields = [tag("MiningField", name=each) for each in inputs]
    if target is not None:
        fields.append(tag("MiningField", name=target, usageType=usage))
    return tag("MiningSchema", fields)


def probabilities(categories, name="probability({})"):
    return [
        tag(
            "OutputField",
            name=name.format(each),
            optype="continuous",
            dataType="double",
            feature="probability",
            value=each,
        )
        for each in categories
    ]


def output(*fields):
    return tag("Output", fields)


def predicted(name, kind="string"):
    optype = "categorical" if kind == "string" else "continuous"
    return tag("OutputField", name=name, optype=optype, dataType=kind, feature="predictedValue")


def save(name, application, version, fields, model, rows, expected):
    """One model and its rows; what is expected of each row may be a part of the answer."""
    space = f"http://www.dmg.org/PMML-{version.replace('.', '_')}"
    document = tag(
        "PMML",
        [
            tag("Header", [tag("Application", name=application)], copyright="Sluice"),
            tag("DataDictionary", fields, numberOfFields=len(fields)),
            model,
        ],
        version=version,
        xmlns=space,
    )
    with open(os.path.join(here, name + ".pmml"), "w") as file:
        file.write('<?xml version="1.0" encoding="UTF-8"?>\n' + document + "\n")
    cases = [{"row": row, "answer": answer} for row, answer in zip(rows, expected)]
    with open(os.path.join(here, name + ".json"), "w") as file:
        file.write(re.sub(r"e-0(\d)", r"e-\1", json.dumps(cases, indent=2)) + "\n")


def named(categories, shares, name="probability({})"):
    return {name.format(key): float(share) for key, share in zip(categories, shares)}


def softmax(sums):
    powers = np.exp(np.asarray(sums, float))
    return powers / powers.sum()


# ---- Neural networks -----------------------------------------------------------------------------


def layer(first, before, weights, biases, **attributes):
    """A NeuralLayer; weights has a row for each neuron before and a column for each of its own."""
    neurons = [
        tag(
            "Neuron",
            [
                tag("Con", from_=source, weight=float(weights[row][column]))
                for row, source in enumerate(before)
            ],
            id=first[column],
            bias=float(biases[column]),
        )
        for column in range(len(biases))
    ]
    return tag("NeuralLayer", neurons, **attributes)


def inputs(pairs):
    """NeuralInputs of (id, expression)."""
    return tag(
        "NeuralInputs",
        [
            tag(
                "NeuralInput",
                [tag("DerivedField", [expression], optype="continuous", dataType="double")],
                id=name,
            )
            for name, expression in pairs
        ],
        numberOfInputs=len(pairs),
    )


def reference(field):
    return tag("FieldRef", field=field)


def outputs(pairs):
    """NeuralOutputs of (neuron, expression)."""
    return tag(
        "NeuralOutputs",
        [
            tag(
                "NeuralOutput",
                [tag("DerivedField", [expression], optype="continuous", dataType="double")],
                outputNeuron=neuron,
            )
            for neuron, expression in pairs
        ],
        numberOfOutputs=len(pairs),
    )


iris = load_iris()
iris_fields = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
species = ["setosa", "versicolor", "virginica"]
iris_rows = [dict(zip(iris_fields, map(float, row))) for row in iris.data[[3, 60, 77, 110, 149]]]
iris_matrix = np.array([[row[each] for each in iris_fields] for row in iris_rows])


def neural_sklearn():
    network = MLPClassifier((5, 4), activation="relu", max_iter=400, random_state=7)
    network.fit(iris.data, iris.target)
    ids = [[f"input/{at + 1}" for at in range(4)]]
    for at, biases in enumerate(network.intercepts_):
        ids.append([f"{at + 1}/{column + 1}" for column in range(len(biases))])
    layers = [
        layer(
            ids[at + 1],
            ids[at],
            network.coefs_[at],
            network.intercepts_[at],
            **(
                {"activationFunction": "identity", "normalizationMethod": "softmax"}
                if at == 2
                else {}
            ),
        )
        for at in range(3)
    ]
    model = tag(
        "NeuralNetwork",
        [
            schema(iris_fields, "Species"),
            output(*probabilities(species)),
            inputs([(ids[0][at], reference(iris_fields[at])) for at in range(4)]),
            *layers,
            outputs(
                [
                    (ids[3][at], tag("NormDiscrete", field="Species", value=species[at]))
                    for at in range(3)
                ]
            ),
        ],
        functionName="classification",
        algorithmName="sklearn.neural_network._multilayer_perceptron.MLPClassifier",
        activationFunction="rectifier",
    )
    shares = network.predict_proba(iris_matrix)
    expected = [{"Species": species[int(np.argmax(row))], **named(species, row)} for row in shares]
    fields = [text("Species", species), *map(number, iris_fields)]
    save("neural-sklearn", "SkLearn2PMML package", "4.4", fields, model, iris_rows, expected)


def neural_regression():
    # A network on scaled numbers whose answer is scaled back, as KNIME's learner writes it.
    x, y = iris.data[:, :3], iris.data[:, 3]
    low, high = x.min(axis=0), x.max(axis=0)
    scaled = (x - low) / (high - low)
    least, most = y.min(), y.max()
    network = MLPRegressor((4,), activation="tanh", max_iter=3000, random_state=3)
    network.fit(scaled, (y - least) / (most - least))
    names = iris_fields[:3]

    def line(name, minimum, maximum):
        points = [tag("LinearNorm", orig=float(minimum), norm=0.0)]
        points.append(tag("LinearNorm", orig=float(maximum), norm=1.0))
        return tag("NormContinuous", points, field=name)

    local = [
        tag(
            "DerivedField",
            [line(name, low[at], high[at])],
            name=name + "*",
            displayName=name,
            optype="continuous",
            dataType="double",
        )
        for at, name in enumerate(names)
    ]
    ids = [["0,0", "0,1", "0,2"], ["1,0", "1,1", "1,2", "1,3"], ["2,0"]]
    model = tag(
        "NeuralNetwork",
        [
            schema(names, "petal_width", "predicted"),
            tag("LocalTransformations", local),
            inputs([(ids[0][at], reference(names[at] + "*")) for at in range(3)]),
            layer(ids[1], ids[0], network.coefs_[0], network.intercepts_[0]),
            layer(
                ids[2],
                ids[1],
                network.coefs_[1],
                network.intercepts_[1],
                activationFunction="identity",
            ),
            outputs([("2,0", line("petal_width", least, most))]),
        ],
        functionName="regression",
        algorithmName="RProp",
        activationFunction="tanh",
        normalizationMethod="none",
        width="0.0",
        numberOfLayers=2,
    )
    test = (iris_matrix[:, :3] - low) / (high - low)
    answers = network.predict(test) * (most - least) + least
    rows = [{name: row[name] for name in names} for row in iris_rows]
    expected = [{"petal_width": float(each)} for each in answers]
    save("neural-knime", "KNIME", "4.2", [*map(number, iris_fields)], model, rows, expected)


def neural_r():
    # nnet of R: dummies of a factor, one logistic hidden layer, softmax on linear outputs; and for
    # two categories the extra layer of thresholds.
    colors = ["blue", "green", "red"]
    hidden = np.array([[0.7, -1.1], [1.9, 0.4], [-0.8, 0.3]])
    hidden_bias = np.array([0.25, -0.5])
    out = np.array([[1.2, -0.7, 0.1], [0.4, 0.9, -1.6]])
    out_bias = np.array([0.05, -0.2, 0.3])
    rows = [
        {"size": size, "color": color}
        for size, color in [(0.5, "blue"), (-1.25, "green"), (2.0, "red"), (0.0, "red")]
    ]

    def states(row):
        x = np.array([row["size"], row["color"] == "green", row["color"] == "red"], float)
        return expit(x @ hidden + hidden_bias)

    entries = [("1", reference("size"))]
    entries += [
        (str(at + 2), tag("NormDiscrete", field="color", value=value))
        for at, value in enumerate(colors[1:])
    ]
    grades = ["a", "b", "c"]
    model = tag(
        "NeuralNetwork",
        [
            schema(["size", "color"], "grade", "predicted"),
            output(predicted("Predicted_grade"), *probabilities(grades, "Probability_{}")),
            inputs(entries),
            layer(["4", "5"], ["1", "2", "3"], hidden, hidden_bias, numberOfNeurons=2),
            layer(
                ["6", "7", "8"],
                ["4", "5"],
                out,
                out_bias,
                numberOfNeurons=3,
                activationFunction="identity",
                normalizationMethod="softmax",
            ),
            outputs(
                [
                    (str(at + 6), tag("NormDiscrete", field="grade", value=value))
                    for at, value in enumerate(grades)
                ]
            ),
        ],
        modelName="NeuralNet_model",
        functionName="classification",
        numberOfLayers=2,
        activationFunction="logistic",
    )
    expected = []
    for row in rows:
        shares = softmax(states(row) @ out + out_bias)
        best = grades[int(np.argmax(shares))]
        expected.append({"Predicted_grade": best, **named(grades, shares, "Probability_{}")})
    fields = [text("grade", grades), number("size"), text("color", colors)]
    save("neural-r", "Rattle/PMML", "4.2", fields, model, rows, expected)

    answers = ["No", "Yes"]
    last = np.array([[2.5], [-3.0]])
    model = tag(
        "NeuralNetwork",
        [
            schema(["size", "color"], "rain", "predicted"),
            output(predicted("Predicted_rain"), *probabilities(answers, "Probability_{}")),
            inputs(entries),
            layer(["4", "5"], ["1", "2", "3"], hidden, hidden_bias, numberOfNeurons=2),
            layer(["6"], ["4", "5"], last, [0.1], numberOfNeurons=1),
            layer(
                ["7", "8"],
                ["6"],
                [[-1.0, 1.0]],
                [1.0, 0.0],
                numberOfNeurons=2,
                activationFunction="threshold",
                threshold="0.5",
            ),
            outputs(
                [
                    (str(at + 7), tag("NormDiscrete", field="rain", value=value))
                    for at, value in enumerate(answers)
                ]
            ),
        ],
        modelName="NeuralNet_model",
        functionName="classification",
        numberOfLayers=3,
        activationFunction="logistic",
    )
    expected = []
    for row in rows:
        share = expit(states(row) @ last + 0.1)[0]
        shares = [float(1 - share > 0.5), float(share > 0.5)]
        best = answers[int(np.argmax(shares))]
        expected.append({"Predicted_rain": best, **named(answers, shares, "Probability_{}")})
    fields = [text("rain", answers), number("size"), text("color", colors)]
    save("neural-r-binary", "Rattle/PMML", "4.2", fields, model, rows, expected)


# ---- General regression --------------------------------------------------------------------------


def general(
    parameters, factors, covariates, cells, betas, kind, target, rest=(), before=(), **more
):
    """A GeneralRegressionModel; cells are (parameter, predictor, value), betas (parameter, beta,
    category)."""
    names = [*[each if isinstance(each, str) else each[0] for each in factors], *covariates]
    function = more.pop("functionName", "regression")
    return tag(
        "GeneralRegressionModel",
        [
            schema([*names, *more.pop("others", [])], target, "predicted"),
            *before,
            tag(
                "ParameterList",
                [tag("Parameter", name=name, **extra) for name, extra in parameters.items()],
            ),
            tag(
                "FactorList",
                [
                    tag("Predictor", name=each)
                    if isinstance(each, str)
                    else tag("Predictor", each[1], name=each[0], contrastMatrixType="contrast")
                    for each in factors
                ],
            ),
            tag("CovariateList", [tag("Predictor", name=each) for each in covariates]),
            tag(
                "PPMatrix",
                [
                    tag("PPCell", value=value, predictorName=name, parameterName=parameter)
                    for parameter, name, value in cells
                ],
            ),
            tag(
                "ParamMatrix",
                [
                    tag(
                        "PCell",
                        **({} if category is None else {"targetCategory": category}),
                        parameterName=parameter,
                        df="1",
                        beta=beta,
                    )
                    for parameter, beta, category in betas
                ],
            ),
            *rest,
        ],
        modelName="General_Regression_Model",
        modelType=kind,
        functionName=function,
        **more,
    )


people = [
    {"age": age, "income": income, "sex": sex, "job": job}
    for age, income, sex, job in [
        (38.0, 81838.0, "Female", "Private"),
        (35.0, 72099.0, "Male", "Public"),
        (61.5, 14200.5, "Male", "Volunteer"),
        (19.0, 150000.0, "Female", "Public"),
    ]
]
sexes, jobs = ["Female", "Male"], ["Private", "Public", "Volunteer"]
people_fields = [number("age"), number("income"), text("sex", sexes), text("job", jobs)]
people_parameters = {
    "p0": {"label": "(Intercept)"},
    "p1": {"label": "age"},
    "p2": {"label": "income"},
    "p3": {"label": "sexMale"},
    "p4": {"label": "age:sexMale"},
    "p5": {"label": "jobPublic"},
    "p6": {"label": "jobVolunteer"},
}
people_cells = [
    ("p1", "age", "1"),
    ("p2", "income", "1"),
    ("p3", "sex", "Male"),
    ("p4", "age", "1"),
    ("p4", "sex", "Male"),
    ("p5", "job", "Public"),
    ("p6", "job", "Volunteer"),
]


def people_design(row):
    male = float(row["sex"] == "Male")
    return np.array(
        [
            1.0,
            row["age"],
            row["income"],
            male,
            row["age"] * male,
            float(row["job"] == "Public"),
            float(row["job"] == "Volunteer"),
        ]
    )


people_betas = np.array([-1.75, 0.0315, -4.5e-06, 0.62, 0.0128, -0.44, 0.9])


def glm_r():
    # glm(binomial) of R: a probability of the second category only.
    model = general(
        people_parameters,
        ["sex", "job"],
        ["age", "income"],
        people_cells,
        [(f"p{at}", float(beta), "1") for at, beta in enumerate(people_betas)],
        "generalizedLinear",
        "adjusted",
        functionName="classification",
        algorithmName="glm",
        distribution="binomial",
        linkFunction="logit",
        before=[output(*probabilities(["1"], "Probability_{}"), predicted("Predicted_adjusted"))],
    )
    expected = []
    for row in people:
        share = float(expit(people_design(row) @ people_betas))
        answer = "1" if share > 0.5 else "0"
        expected.append({"Probability_1": share, "Predicted_adjusted": answer})
    fields = [text("adjusted", ["0", "1"]), *people_fields]
    save("glm-r-binomial", "Rattle/PMML", "4.2", fields, model, people, expected)

    # glm(Gamma) has the link "inverse", which R writes as a power of -1.
    betas = np.array([0.02, 0.0004, 1e-08, 0.003, -0.0001, 0.002, 0.0055])
    model = general(
        people_parameters,
        ["sex", "job"],
        ["age", "income"],
        people_cells,
        [(f"p{at}", float(beta), None) for at, beta in enumerate(betas)],
        "generalizedLinear",
        "hours",
        algorithmName="glm",
        distribution="gamma",
        linkFunction="power",
        linkParameter="-1",
        before=[output(predicted("Predicted_hours", "double"))],
    )
    expected = [{"Predicted_hours": float(1 / (people_design(row) @ betas))} for row in people]
    fields = [number("hours"), *people_fields]
    save("glm-r-gamma", "Rattle/PMML", "4.2", fields, model, people, expected)


def contrasts():
    # A factor in deviation coding, and one with indicators, as the general linear model of the
    # standard's authors uses them; ordered answers for each cumulative link.
    coding = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    inner = [
        tag("Categories", [tag("Category", value=each) for each in jobs]),
        tag("Matrix", [array(row) for row in coding], nbRows=3, nbCols=2),
    ]
    parameters = {"p1": {}, "p2": {}, "p3": {}, "p4": {}, "p5": {}}
    cells = [
        ("p2", "job", "Private"),
        ("p3", "job", "Public"),
        ("p4", "age", "2"),
        ("p5", "job", "Public"),
        ("p5", "age", "1"),
    ]

    def design(row):
        job = coding[jobs.index(row["job"])]
        return np.array([1.0, job[0], job[1], row["age"] ** 2, job[1] * row["age"]])

    betas = np.array([2.5, 1.25, -0.75, 0.001, 0.0625])
    model = general(
        parameters,
        [("job", inner)],
        ["age"],
        cells,
        [(f"p{at + 1}", float(beta), None) for at, beta in enumerate(betas)],
        "generalLinear",
        "hours",
    )
    rows = [{"job": row["job"], "age": row["age"]} for row in people]
    expected = [{"hours": float(design(row) @ betas)} for row in rows]
    fields = [number("hours"), number("age"), text("job", jobs)]
    save("general-contrasts", "Sluice", "4.4", fields, model, rows, expected)


# The cumulative distributions behind the links: cloglog is that of the smallest of many values,
# loglog that of the largest.
cumulative = {
    "logit": expit,
    "probit": norm.cdf,
    "cloglog": gumbel_l.cdf,
    "loglog": gumbel_r.cdf,
    "cauchit": cauchy.cdf,
}


def ordinal():
    levels = ["low", "middle", "high", "top"]
    thresholds = {"low": -1.5, "middle": 0.25, "high": 1.75}
    slopes = {"b1": -0.03, "b2": 0.8}
    cells = [("b1", "age", "1"), ("b2", "sex", "Male")]
    rows = [{"age": row["age"], "sex": row["sex"], "lean": at / 4} for at, row in enumerate(people)]
    betas = [("t", value, level) for level, value in thresholds.items()]
    betas += [(name, value, None) for name, value in slopes.items()]
    field = tag(
        "DataField",
        [tag("Value", value=each) for each in levels],
        name="risk",
        optype="ordinal",
        dataType="string",
    )
    fields = [field, number("age"), number("lean"), text("sex", sexes)]
    for name, distribution in cumulative.items():
        model = general(
            {"t": {}, "b1": {}, "b2": {}},
            ["sex"],
            ["age"],
            cells,
            betas,
            "ordinalMultinomial",
            "risk",
            functionName="classification",
            cumulativeLink=name,
            offsetVariable="lean",
            others=["lean"],
            before=[output(predicted("risk_category"), *probabilities(levels))],
        )
        expected = []
        for row in rows:
            common = slopes["b1"] * row["age"] + slopes["b2"] * (row["sex"] == "Male") + row["lean"]
            upto = [distribution(value + common) for value in thresholds.values()] + [1.0]
            shares = np.diff([0.0, *upto])
            best = levels[int(np.argmax(shares))]
            expected.append({"risk_category": best, **named(levels, shares)})
        save(f"ordinal-{name}", "Sluice", "4.4", fields, model, rows, expected)


def multinomial():
    # The reference category stands first; each other one has parameters of its own.
    levels = ["Clerical", "Custodial", "Manager"]
    tables = {
        "Custodial": np.array([-3.2, 0.05, 2.1]),
        "Manager": np.array([-5.5, 0.07, 1.4]),
    }
    cells = [("P2", "age", "1"), ("P3", "sex", "Male")]
    model = general(
        {"P1": {}, "P2": {}, "P3": {}},
        ["sex"],
        ["age"],
        cells,
        [
            (f"P{at + 1}", float(beta), level)
            for level, betas in tables.items()
            for at, beta in enumerate(betas)
        ],
        "multinomialLogistic",
        "job",
        functionName="classification",
        targetReferenceCategory="Clerical",
        before=[output(*probabilities(levels))],
    )
    rows = [{"age": row["age"], "sex": row["sex"]} for row in people]
    expected = []
    for row in rows:
        x = np.array([1.0, row["age"], row["sex"] == "Male"], float)
        shares = softmax([0.0, x @ tables["Custodial"], x @ tables["Manager"]])
        expected.append({"job": levels[int(np.argmax(shares))], **named(levels, shares)})
    fields = [text("job", levels), number("age"), text("sex", sexes)]
    save("multinomial", "Sluice", "4.4", fields, model, rows, expected)


def cox_r():
    # coxph of R with strata and means as reference points. R's own names for what it writes: the
    # predicted value is the hazard (newer versions), or the survival (older ones).
    betas, means = np.array([0.0223, -0.514]), np.array([62.4, 0.6])
    tables = {
        "1": ([5.0, 60.0, 210.0], [0.011, 0.078, 0.394], 400.0),
        "2": ([12.0, 95.0, 310.0, 640.0], [0.006, 0.055, 0.31, 0.85], 800.0),
    }
    strata = [
        tag(
            "BaselineStratum",
            [tag("BaselineCell", time=time, cumHazard=hazard) for time, hazard in zip(*table[:2])],
            value=name,
            label=f"inst={name}",
            maxTime=table[2],
        )
        for name, table in tables.items()
    ]
    rows = [
        {"time": time, "status": 1.0, "inst": inst, "age": age, "sex": sex}
        for time, inst, age, sex in [
            (3.0, "1", 70.0, "Male"),
            (60.0, "1", 55.0, "Female"),
            (399.0, "1", 48.0, "Male"),
            (401.0, "1", 48.0, "Male"),
            (310.0, "2", 75.0, "Female"),
            (800.0, "2", 66.0, "Male"),
        ]
    ]

    def hazard(row):
        times, hazards, limit = tables[row["inst"]]
        if row["time"] > limit:
            return None
        place = int(np.searchsorted(times, row["time"], side="right"))
        base = 0.0 if place == 0 else hazards[place - 1]
        x = np.array([row["age"], float(row["sex"] == "Male")])
        return float(base * np.exp((x - means) @ betas))

    def derived(name, inner):
        return tag(
            "OutputField",
            [inner],
            name=name,
            optype="continuous",
            dataType="double",
            feature="transformedValue",
        )

    def apply(function, *arguments):
        return tag("Apply", arguments, function=function)

    minus = tag("Constant", "-1.0")

    def model(target, before):
        return general(
            {
                "p0": {"label": "age", "referencePoint": float(means[0])},
                "p1": {"label": "sexMale", "referencePoint": float(means[1])},
            },
            ["sex"],
            ["age"],
            [("p0", "age", "1"), ("p1", "sex", "Male")],
            [("p0", float(betas[0]), None), ("p1", float(betas[1]), None)],
            "CoxRegression",
            target,
            algorithmName="coxph",
            endTimeVariable="time",
            statusVariable="status",
            baselineStrataVariable="inst",
            others=["time", "status", "inst"],
            before=before,
            rest=[tag("BaseCumHazardTables", strata, maxTime=800.0)],
        )

    fields = [number("age"), text("sex", sexes), number("time"), number("status")]
    fields.append(text("inst", ["1", "2"]))
    survival = derived(
        "SurvivalProbability", apply("exp", apply("*", minus, reference("Predicted_hazard")))
    )
    hazards = [hazard(row) for row in rows]
    expected = [
        {
            "Predicted_hazard": each,
            "SurvivalProbability": None if each is None else float(np.exp(-each)),
        }
        for each in hazards
    ]
    before = [output(predicted("Predicted_hazard", "double"), survival)]
    newer = model("hazard", before)
    save(
        "cox-r",
        "SoftwareAG PMML Generator",
        "4.4",
        [number("hazard"), *fields],
        newer,
        rows,
        expected,
    )

    logarithm = derived(
        "cumulativeHazard", apply("*", minus, apply("ln", reference("Predicted_survival")))
    )
    before = [output(predicted("Predicted_survival", "double"), logarithm)]
    older = model("survival", before)
    expected = [
        {
            "Predicted_survival": None if each is None else float(np.exp(-each)),
            "cumulativeHazard": each,
        }
        for each in hazards
    ]
    save("cox-r-older", "Rattle/PMML", "4.1", [number("survival"), *fields], older, rows, expected)


# ---- Naive Bayes ---------------------------------------------------------------------------------


def counts(pairs):
    cells = [tag("TargetValueCount", value=key, count=float(count)) for key, count in pairs]
    return tag("TargetValueCounts", cells)


def gaussians(categories, means, variances):
    return tag(
        "TargetValueStats",
        [
            tag(
                "TargetValueStat",
                [tag("GaussianDistribution", mean=float(mean), variance=float(variance))],
                value=category,
            )
            for category, mean, variance in zip(categories, means, variances)
        ],
    )


def bayes(name, inputs_inner, before, target, prior, threshold):
    return tag(
        "NaiveBayesModel",
        [
            before,
            tag("BayesInputs", inputs_inner),
            tag("BayesOutput", [counts(prior)], fieldName=target),
        ],
        modelName=name,
        functionName="classification",
        threshold=threshold,
    )


def bayes_sklearn():
    learned = GaussianNB().fit(iris.data, iris.target)
    stats = [
        tag(
            "BayesInput",
            [gaussians(species, learned.theta_[:, at], learned.var_[:, at])],
            fieldName=field,
        )
        for at, field in enumerate(iris_fields)
    ]
    prior = zip(species, learned.class_count_)
    before = schema(iris_fields, "Species") + "\n" + output(*probabilities(species))
    model = bayes("GaussianNB", stats, before, "Species", prior, "0.0")
    shares = learned.predict_proba(iris_matrix)
    expected = [{"Species": species[int(np.argmax(row))], **named(species, row)} for row in shares]
    fields = [text("Species", species), *map(number, iris_fields)]
    save("bayes-sklearn", "SkLearn2PMML package", "4.4", fields, model, iris_rows, expected)


def bayes_knime():
    # Counts of pairs. Without smoothing the counts are what scikit-learn learns from; where a pair
    # never came up, the threshold stands in, for which scikit-learn has nothing.
    outlooks, winds, plays = ["Rainy", "Overcast", "Sunny"], ["false", "true"], ["No", "Yes"]
    table = np.array([[3, 2], [1, 4], [2, 3]])
    windy = np.array([[2, 6], [4, 3]])
    x, y = [], []
    for play in range(2):
        for outlook in range(3):
            x += [[outlook, 0]] * table[outlook][play]
            y += [play] * table[outlook][play]
    x = np.array(x)
    for play in range(2):
        x[np.array(y) == play, 1] = np.repeat([0, 1], windy[:, play])
    learned = CategoricalNB(alpha=1e-12, force_alpha=True).fit(x, y)
    parts = [
        tag(
            "BayesInput",
            [
                tag("PairCounts", [counts(zip(plays, row))], value=value)
                for value, row in zip(values, numbers)
            ],
            fieldName=field,
        )
        for field, values, numbers in [("Outlook", outlooks, table), ("Windy", winds, windy)]
    ]
    before = schema(["Outlook", "Windy"], "Play Golf") + "\n" + output(*probabilities(plays))
    model = bayes(
        "KNIME PMML Naive Bayes model", parts, before, "Play Golf", zip(plays, [6, 9]), "0.0"
    )
    rows, expected = [], []
    for at, outlook in enumerate(outlooks):
        for wind in range(2):
            shares = learned.predict_proba([[at, wind]])[0]
            rows.append({"Outlook": outlook, "Windy": winds[wind]})
            best = plays[int(np.argmax(shares))]
            expected.append({"Play Golf": best, **named(plays, shares)})
    # A missing value is left out: 6 * 2/6 : 9 * 6/9.
    rows.append({"Windy": "false"})
    expected.append({"Play Golf": "Yes", **named(plays, [2 / 8, 6 / 8])})
    fields = [text("Outlook", outlooks), text("Windy", winds), text("Play Golf", plays)]
    save("bayes-knime", "KNIME", "4.2", fields, model, rows, expected)


def bayes_r():
    # naiveBayes of e1071: probabilities times prior instead of counts, distributions inside of
    # extensions (PMML 4.1), a threshold of 0.001 for pairs that never came up.
    groups, prior = ["no", "yes"], np.array([30.0, 12.0])
    votes = np.array([[0.9, 0.1], [0.0, 1.0]])
    means, deviations = np.array([52.0, 31.5]), np.array([9.5, 4.0])
    discrete = tag(
        "BayesInput",
        [
            tag("PairCounts", [counts(zip(groups, votes[:, at] * prior))], value=value)
            for at, value in enumerate(["n", "y"])
        ],
        fieldName="vote",
    )
    normal = tag(
        "Extension",
        [tag("BayesInput", [gaussians(groups, means, deviations**2)], fieldName="age")],
    )
    before = schema(["vote", "age"], "group", "predicted") + "\n"
    before += output(predicted("Predicted_group"), *probabilities(groups, "Probability_{}"))
    model = bayes(
        "naiveBayes_Model", [discrete, normal], before, "group", zip(groups, prior), "0.001"
    )
    rows = [
        {"vote": vote, "age": age}
        for vote, age in [("n", 33.0), ("y", 47.5), ("y", 30.0), ("n", 60.0), ("n", 25.0)]
    ]
    expected = []
    for row in rows:
        vote = votes[:, ["n", "y"].index(row["vote"])]
        vote = np.where(vote == 0, 0.001, vote)
        density = np.maximum(norm.pdf(row["age"], means, deviations), 0.001)
        shares = prior * vote * density
        shares /= shares.sum()
        best = groups[int(np.argmax(shares))]
        expected.append({"Predicted_group": best, **named(groups, shares, "Probability_{}")})
    fields = [text("group", groups), text("vote", ["n", "y"]), number("age")]
    save("bayes-r", "Rattle/PMML", "4.1", fields, model, rows, expected)


# ---- Clusters ------------------------------------------------------------------------------------


def clusters():
    learned = KMeans(3, n_init=5, random_state=1).fit(iris.data)
    centers = learned.cluster_centers_
    sizes = np.bincount(learned.labels_)
    distances = ((iris_matrix[:, None, :] - centers[None]) ** 2).sum(axis=2)
    labels = learned.predict(iris_matrix)

    def model(before, cluster, **attributes):
        return tag(
            "ClusteringModel",
            [
                *before,
                tag("ComparisonMeasure", [tag("squaredEuclidean")], kind="distance"),
                *[
                    tag("ClusteringField", field=name, compareFunction="absDiff")
                    for name in iris_fields
                ],
                *[cluster(at, array(center)) for at, center in enumerate(centers)],
            ],
            functionName="clustering",
            modelClass="centerBased",
            numberOfClusters=3,
            **attributes,
        )

    # kmeans of R: a target that no data has, ids, names, an affinity for each cluster.
    placeholder = "ZementisClusterIDPlaceHolder"
    affinities = [
        tag("OutputField", name=f"clusterAffinity_{at}", feature="clusterAffinity", value=at)
        for at in (1, 2, 3)
    ]
    r = model(
        [
            schema(iris_fields, placeholder, "predicted"),
            output(
                tag("OutputField", name="predictedValue", feature="predictedValue"), *affinities
            ),
        ],
        lambda at, center: tag("Cluster", [center], name=at + 1, size=sizes[at], id=at + 1),
        modelName="KMeans_Model",
        algorithmName="KMeans: Hartigan and Wong",
    )
    expected = [
        {
            placeholder: str(labels[at] + 1),
            "predictedValue": str(labels[at] + 1),
            **{f"clusterAffinity_{c + 1}": float(distances[at][c]) for c in range(3)},
        }
        for at in range(len(iris_rows))
    ]
    fields = [text(placeholder, []), *map(number, iris_fields)]
    save("clusters-r", "Rattle/PMML", "4.2", fields, r, iris_rows, expected)

    # Spark: names without ids. KNIME likewise, with sizes.
    spark = model(
        [
            schema(iris_fields),
            output(
                tag("OutputField", name="cluster", dataType="string", feature="predictedValue"),
                tag("OutputField", name="name", dataType="string", feature="predictedDisplayValue"),
                tag("OutputField", name="distance", dataType="double", feature="affinity"),
            ),
        ],
        lambda at, center: tag("Cluster", [center], name=f"cluster_{at}"),
        modelName="k-means",
    )
    expected = [
        {
            "cluster": str(labels[at] + 1),
            "name": f"cluster_{labels[at]}",
            "distance": float(distances[at].min()),
        }
        for at in range(len(iris_rows))
    ]
    fields = [*map(number, iris_fields)]
    save("clusters-spark", "Apache Spark MLlib", "4.2", fields, spark, iris_rows, expected)


if __name__ == "__main__":
    neural_sklearn()
    neural_regression()
    neural_r()
    glm_r()
    contrasts()
    ordinal()
    multinomial()
    cox_r()
    bayes_sklearn()
    bayes_knime()
    bayes_r()
    clusters()
