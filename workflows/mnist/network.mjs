// The three models of this workflow and what one needs to train and use them: class probabilities,
// gradients of the cross-entropy, stochastic gradient descent with momentum. All weights of a
// network lie in one array, so a checkpoint is two arrays and a counter.

import { convolution, dense, maxPool, rectify } from "./layers.mjs";
import { generator } from "./random.mjs";
import { readTensors } from "./safetensors.mjs";

/** How many digits there are to tell apart. */
export const classes = 10;

const architectures = {
  softmax: () => [dense(784, classes)],
  mlp: () => [dense(784, 48), rectify(48), dense(48, classes)],
  cnn: () => [
    convolution({ channels: 1, width: 28, filters: 6, kernel: 6, stride: 2 }),
    rectify(6 * 12 * 12),
    convolution({ channels: 6, width: 12, filters: 12, kernel: 3, stride: 1 }),
    rectify(12 * 10 * 10),
    maxPool(12, 10),
    dense(12 * 5 * 5, classes),
  ],
};

/** The names that createNetwork takes. */
export const modelNames = Object.keys(architectures);

/** A network with random weights; the same seed gives the same weights. */
export function createNetwork(model, seed) {
  const layers = architectures[model]();
  const random = generator(seed, 11);
  const weights = new Float32Array(layers.reduce((total, layer) => total + layer.weightCount, 0));
  const stages = stagesOf(layers, weights);
  for (const stage of stages) stage.layer.initialise(stage.weights, random);
  return networkOf(model, stages, weights);
}

/** The network that a trained model's file holds. */
export function loadNetwork(path) {
  const { tensors, metadata } = readTensors(path);
  const network = createNetwork(metadata.model, 0);
  network.weights.set(tensors.weights.values);
  return { network, metadata };
}

/** Every layer with its views of the weights and gradients and its buffers. */
function stagesOf(layers, weights) {
  let offset = 0;
  return layers.map((layer) => {
    const stage = {
      layer,
      weights: weights.subarray(offset, offset + layer.weightCount),
      gradients: new Float32Array(layer.weightCount),
      output: new Float32Array(layer.outputs),
      outputGradient: new Float32Array(layer.outputs),
    };
    offset += layer.weightCount;
    return stage;
  });
}

function networkOf(model, stages, weights) {
  const last = stages[stages.length - 1];

  /** Class probabilities of one image; the array is reused by the next call. */
  function probabilities(image) {
    let input = image;
    for (const { layer, weights: own, output } of stages) {
      layer.forward(own, input, output);
      input = output;
    }
    return softmax(input);
  }

  /** Adds one sample's gradients of −log p(label); returns that loss and whether it was right. */
  function learn(image, label) {
    const p = probabilities(image);
    last.outputGradient.set(p);
    last.outputGradient[label] -= 1;
    for (let s = stages.length - 1; s >= 0; s--) {
      const { layer, weights: own, gradients, output, outputGradient } = stages[s];
      const before = stages[s - 1];
      layer.backward(
        own,
        gradients,
        before?.output ?? image,
        output,
        outputGradient,
        before?.outputGradient,
      );
    }
    return { loss: -Math.log(p[label] + 1e-9), right: indexOfLargest(p) === label };
  }

  /** One step of gradient descent with momentum 0.9; sets the gradients back to zero. */
  function descend(velocity, stepSize) {
    let w = 0;
    for (const { gradients } of stages) {
      for (let g = 0; g < gradients.length; g++, w++) {
        velocity[w] = 0.9 * velocity[w] - stepSize * gradients[g];
        weights[w] += velocity[w];
        gradients[g] = 0;
      }
    }
  }

  return { model, weights, probabilities, learn, descend };
}

/** Accuracy, mean loss and the confusion matrix (row: true digit, column: answer) on a data set. */
export function assess(network, { images, labels }) {
  const size = images.values.length / labels.values.length;
  const confusion = Array.from({ length: classes }, () => Array.from({ length: classes }, () => 0));
  let loss = 0;
  let right = 0;
  labels.values.forEach((label, index) => {
    const p = network.probabilities(images.values.subarray(index * size, (index + 1) * size));
    const answer = indexOfLargest(p);
    confusion[label][answer]++;
    loss -= Math.log(p[label] + 1e-9);
    if (answer === label) right++;
  });
  const count = labels.values.length;
  return { accuracy: right / count, loss: loss / count, count, confusion };
}

/** Turns scores into probabilities, in place. */
function softmax(scores) {
  const largest = Math.max(...scores);
  let sum = 0;
  for (let i = 0; i < scores.length; i++) sum += scores[i] = Math.exp(scores[i] - largest);
  for (let i = 0; i < scores.length; i++) scores[i] /= sum;
  return scores;
}

function indexOfLargest(values) {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[best]) best = i;
  return best;
}
