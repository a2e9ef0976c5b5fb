#!/usr/bin/env python3
# Makes the small models of the ONNX tests, and pictures with what Pillow makes of them. Needs
# Debian's python3-onnx and python3-pil; what it made is checked in. Run it in this folder.

import base64
import io
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image, ImageDraw, ImageFont, ImageOps

here = Path(__file__).parent
types = {
    'float32': TensorProto.FLOAT,
    'float64': TensorProto.DOUBLE,
    'float16': TensorProto.FLOAT16,
    'int8': TensorProto.INT8,
    'uint8': TensorProto.UINT8,
    'int16': TensorProto.INT16,
    'uint16': TensorProto.UINT16,
    'int32': TensorProto.INT32,
    'uint32': TensorProto.UINT32,
    'int64': TensorProto.INT64,
    'uint64': TensorProto.UINT64,
    'bool': TensorProto.BOOL,
    'string': TensorProto.STRING,
}


def info(name, kind, shape):
    return helper.make_tensor_value_info(name, kind, shape)


def save(name, nodes, inputs, outputs, weights=()):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(weights))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, here / f'{name}.onnx')


# Every type, handed through; bool turned round, so that no test passes on its own input.
save(
    'types',
    [
        helper.make_node('Not' if name == 'bool' else 'Identity', [name], [f'{name}_out'])
        for name in types
    ],
    [info(name, kind, ['rows', 2]) for name, kind in types.items()],
    [info(f'{name}_out', kind, ['rows', 2]) for name, kind in types.items()],
)

# table[index]: fails for an index that the table does not have.
save(
    'lookup',
    [helper.make_node('Gather', ['table', 'index'], ['found'])],
    [info('index', TensorProto.INT64, ['rows', 1])],
    [info('found', TensorProto.FLOAT, ['rows', 1])],
    [numpy_helper.from_array(np.array([10, 20, 30, 40], np.float32), 'table')],
)

# No axis for rows: the sum of two vectors of any length, and of a scalar.
save(
    'sum',
    [
        helper.make_node('Add', ['left', 'right'], ['both']),
        helper.make_node('Add', ['both', 'plus'], ['total']),
    ],
    [
        info('left', TensorProto.FLOAT, [2, 'size']),
        info('right', TensorProto.FLOAT, [2, 'size']),
        info('plus', TensorProto.FLOAT, []),
    ],
    [info('total', TensorProto.FLOAT, [2, 'size'])],
)

# The sum of the numbers of the tokens that are not padding.
save(
    'tokens',
    [
        helper.make_node('Mul', ['input_ids', 'attention_mask'], ['shown']),
        helper.make_node('ReduceSum', ['shown', 'axes'], ['sum'], keepdims=1),
    ],
    [
        info('input_ids', TensorProto.INT64, ['rows', 'length']),
        info('attention_mask', TensorProto.INT64, ['rows', 'length']),
    ],
    [info('sum', TensorProto.INT64, ['rows', 1])],
    [numpy_helper.from_array(np.array([1], np.int64), 'axes')],
)

# As detectors do: the first axis of its output is free, but counts something else than rows.
save(
    'boxes',
    [helper.make_node('Reshape', ['x', 'flat'], ['found'])],
    [info('x', TensorProto.FLOAT, ['rows', 2])],
    [info('found', TensorProto.FLOAT, ['boxes', 1])],
    [numpy_helper.from_array(np.array([-1, 1], np.int64), 'flat')],
)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return base64.b64encode(file.getvalue()).decode()


# Noise, the hardest there is for filters; 37 x 23 pixels divide by nothing.
random = np.random.RandomState(3)
noise = Image.fromarray(random.randint(0, 256, (23, 37, 3), np.uint8), 'RGB')
filters = {
    'nearest': Image.NEAREST,
    'box': Image.BOX,
    'bilinear': Image.BILINEAR,
    'bicubic': Image.BICUBIC,
    'lanczos': Image.LANCZOS,
}
resized = [
    {
        'filter': name,
        'width': width,
        'height': height,
        'data': np.asarray(noise.resize((width, height), kind)).flatten().tolist(),
    }
    for name, kind in filters.items()
    for width, height in [(11, 7), (50, 31), (37, 9)]
]
cropped = noise.resize((8, 8), Image.BILINEAR, box=(7, 0, 30, 23))

# Four fields of colour, each orientation that a camera notes, and how the picture is to be seen.
fields = Image.new('RGB', (32, 16), (220, 40, 40))
fields.paste((40, 200, 60), (16, 0, 32, 8))
fields.paste((50, 60, 210), (0, 8, 16, 16))
fields.paste((240, 240, 90), (16, 8, 32, 16))
turned = []
for orientation in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = encoded(fields, 'JPEG', quality=95, subsampling=0, exif=exif)
    seen = ImageOps.exif_transpose(Image.open(io.BytesIO(base64.b64decode(file)))).convert('RGB')
    turned.append(
        {'orientation': orientation, 'jpeg': file, 'width': seen.width, 'height': seen.height}
        | {'corners': [seen.getpixel((x, y)) for y in (2, seen.height - 3) for x in (2, seen.width - 3)]}
    )

see_through = Image.fromarray(random.randint(0, 256, (5, 4, 4), np.uint8), 'RGBA')
paper = Image.new('RGBA', see_through.size, (255, 255, 255, 255))
over = Image.alpha_composite(paper, see_through).convert('RGB')
pictures = {
    'png': encoded(noise, 'PNG'),
    'gray': np.asarray(noise.convert('L')).flatten().tolist(),
    'resized': resized,
    'cropped': np.asarray(cropped).flatten().tolist(),
    'turned': turned,
    'seeThrough': encoded(see_through, 'PNG'),
    'over': np.asarray(over).flatten().tolist(),
}
(here / 'pictures.json').write_text(json.dumps(pictures, separators=(',', ':')) + '\n')

# A line to read, long and short, and once upside down.
font = ImageFont.truetype('/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf', 34)
for name, text in [('line', 'Invoice 2024-0815, total 93.50'), ('word', 'Sluice')]:
    width = font.getbbox(text)[2]
    line = Image.new('L', (width + 16, 48), 255)
    ImageDraw.Draw(line).text((8, 3), text, font=font, fill=20)
    line.save(here / f'{name}.png')
    line.rotate(180).save(here / f'{name}-turned.png')
