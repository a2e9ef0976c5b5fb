#!/usr/bin/env python3
# Makes the model, the pictures and the expected answers of this example. Needs Debian's
# python3-sklearn, python3-onnx and python3-pil; what it made is checked in, so nobody else needs
# them. Run it in this folder.

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

here = Path(__file__).parent
# 1,797 handwritten digits of 8 x 8 pixels, ink from 0 to 16 (UCI, in scikit-learn).
data = load_digits()
pixels, labels = data.data / 16, data.target
train, test, train_labels, test_labels = train_test_split(
    pixels, labels, test_size=0.25, random_state=7, stratify=labels
)
network = MLPClassifier((128, 64), max_iter=400, random_state=7).fit(train, train_labels)
print('share right of the digits not trained on:', network.score(test, test_labels))

nodes, weights, last = [], [], 'pixels'
for at, (weight, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
    isLast = at == len(network.coefs_) - 1
    weights.append(numpy_helper.from_array(weight.astype(np.float32), f'weight{at}'))
    weights.append(numpy_helper.from_array(bias.astype(np.float32), f'bias{at}'))
    nodes.append(helper.make_node('Gemm', [last, f'weight{at}', f'bias{at}'], [f'sum{at}']))
    last = 'probabilities' if isLast else f'layer{at}'
    kind = 'Softmax' if isLast else 'Relu'
    nodes.append(helper.make_node(kind, [f'sum{at}'], [last], **({'axis': 1} if isLast else {})))
graph = helper.make_graph(
    nodes,
    'digits',
    [helper.make_tensor_value_info('pixels', TensorProto.FLOAT, ['batch', 64])],
    [helper.make_tensor_value_info('probabilities', TensorProto.FLOAT, ['batch', 10])],
    weights,
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
model.producer_name = 'examples/digits/make.py'
onnx.checker.check_model(model)
onnx.save(model, here / 'model' / 'digits.onnx')

# One digit of each kind that the network did not see and knows, as black ink on white paper.
known = network.predict(test) == test_labels
for digit in range(10):
    row = test[np.flatnonzero((test_labels == digit) & known)[0]].reshape(8, 8)
    paper = Image.fromarray(np.uint8(np.round(255 - row * 255)), 'L')
    paper.resize((64, 64), Image.NEAREST).save(here / 'pictures' / f'{digit}.png')

# What scikit-learn itself says of rows that the network did not see.
rows = test[:24]
expected = {
    'pixels': np.round(rows, 4).tolist(),
    'probabilities': np.round(network.predict_proba(np.round(rows, 4)), 6).tolist(),
    'labels': network.predict(rows).tolist(),
}
(here / 'expected.json').write_text(json.dumps(expected, separators=(',', ':')) + '\n')
