import type { Layer } from './layer.ts';
import { conv2d, flatten, linear, maxPool2d, relu } from './layers.ts';
import { sequential } from './sequential.ts';

/** LeNet-5 for images [n, 1, 32, 32]: three 5×5 convolutions (6, 16, 120), two max-pools, 84, `classes`; ReLU. */
export const lenet5 = (classes = 10): Layer =>
  sequential({
    conv1: conv2d(6, 5),
    relu1: relu(),
    pool1: maxPool2d(2),
    conv2: conv2d(16, 5),
    relu2: relu(),
    pool2: maxPool2d(2),
    conv3: conv2d(120, 5),
    relu3: relu(),
    flatten: flatten(),
    fc1: linear(84),
    relu4: relu(),
    fc2: linear(classes),
  });
