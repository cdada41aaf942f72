// The layers of a feed-forward network, for one sample at a time, in plain typed arrays. A layer
// owns no numbers: the network hands it views of the weights, gradients and activations.
//
// backward() adds to `gradients`; it writes `inputGradient` only where that is given (the first
// layer needs none).

import { gaussian } from "./random.mjs";

/** Every output is a weighted sum of all inputs plus a bias. */
export function dense(inputs, outputs) {
  return {
    inputs,
    outputs,
    weightCount: outputs * (inputs + 1),
    initialise(weights, random) {
      const spread = Math.sqrt(2 / inputs);
      for (let w = 0; w < outputs * inputs; w++) weights[w] = spread * gaussian(random);
    },
    forward(weights, input, output) {
      for (let o = 0; o < outputs; o++) {
        let sum = weights[outputs * inputs + o];
        for (let i = 0, w = o * inputs; i < inputs; i++, w++) sum += weights[w] * input[i];
        output[o] = sum;
      }
    },
    backward(weights, gradients, input, _output, outputGradient, inputGradient) {
      inputGradient?.fill(0);
      for (let o = 0; o < outputs; o++) {
        const gradient = outputGradient[o];
        if (gradient === 0) continue;
        gradients[outputs * inputs + o] += gradient;
        const row = o * inputs;
        for (let i = 0; i < inputs; i++) gradients[row + i] += gradient * input[i];
        if (inputGradient === undefined) continue;
        for (let i = 0; i < inputs; i++) inputGradient[i] += gradient * weights[row + i];
      }
    },
  };
}

/** Negative values become zero. */
export function rectify(size) {
  return {
    inputs: size,
    outputs: size,
    weightCount: 0,
    initialise() {},
    forward(_weights, input, output) {
      for (let i = 0; i < size; i++) output[i] = input[i] > 0 ? input[i] : 0;
    },
    backward(_weights, _gradients, input, _output, outputGradient, inputGradient) {
      for (let i = 0; i < size; i++) inputGradient[i] = input[i] > 0 ? outputGradient[i] : 0;
    },
  };
}

/**
 * Square filters moved over square images: `channels` of width `width` in, `filters` out, each
 * (width − kernel) / stride + 1 wide.
 */
export function convolution({ channels, width, filters, kernel, stride }) {
  const outWidth = (width - kernel) / stride + 1;
  const filterSize = channels * kernel * kernel;
  // Where a window's values lie, counted from its corner.
  const offsets = Uint16Array.from({ length: filterSize }, (_, weight) => {
    const channel = Math.floor(weight / kernel ** 2);
    const row = Math.floor(weight / kernel) % kernel;
    return (channel * width + row) * width + (weight % kernel);
  });
  // Where the windows' corners lie, one per output position.
  const corners = Uint16Array.from({ length: outWidth * outWidth }, (_, position) => {
    return stride * (Math.floor(position / outWidth) * width + (position % outWidth));
  });
  const positions = corners.length;
  // One zero more than a filter has weights, so that these may be an odd number.
  const window = new Float32Array(filterSize + 1);

  return {
    inputs: channels * width * width,
    outputs: filters * positions,
    weightCount: filters * (filterSize + 1),
    initialise(weights, random) {
      const spread = Math.sqrt(2 / filterSize);
      for (let w = 0; w < filters * filterSize; w++) weights[w] = spread * gaussian(random);
    },
    forward(weights, input, output) {
      for (let position = 0; position < positions; position++) {
        for (let k = 0; k < filterSize; k++) window[k] = input[corners[position] + offsets[k]];
        for (let filter = 0; filter < filters; filter++) {
          const first = filter * filterSize;
          // Two sums, because an addition has to wait for the one before it.
          let even = weights[filters * filterSize + filter];
          let odd = 0;
          for (let k = 0; k < filterSize; k += 2) {
            even += weights[first + k] * window[k];
            odd += weights[first + k + 1] * window[k + 1];
          }
          output[filter * positions + position] = even + odd;
        }
      }
    },
    backward(weights, gradients, input, _output, outputGradient, inputGradient) {
      inputGradient?.fill(0);
      for (let o = 0; o < outputGradient.length; o++) {
        const gradient = outputGradient[o];
        if (gradient === 0) continue;
        const filter = Math.floor(o / positions);
        const corner = corners[o % positions];
        const first = filter * filterSize;
        gradients[filters * filterSize + filter] += gradient;
        for (let k = 0; k < filterSize; k++)
          gradients[first + k] += gradient * input[corner + offsets[k]];
        if (inputGradient === undefined) continue;
        for (let k = 0; k < filterSize; k++)
          inputGradient[corner + offsets[k]] += gradient * weights[first + k];
      }
    },
  };
}

/** The largest of every two by two values, per channel. */
export function maxPool(channels, width) {
  const outWidth = Math.floor(width / 2);

  /** Calls visit(output index, input index of the largest value) for every output. */
  function eachLargest(input, visit) {
    let out = 0;
    for (let channel = 0; channel < channels; channel++) {
      for (let y = 0; y < outWidth; y++) {
        for (let x = 0; x < outWidth; x++) {
          const corner = (channel * width + 2 * y) * width + 2 * x;
          let largest = corner;
          for (const i of [corner + 1, corner + width, corner + width + 1]) {
            if (input[i] > input[largest]) largest = i;
          }
          visit(out++, largest);
        }
      }
    }
  }

  return {
    inputs: channels * width * width,
    outputs: channels * outWidth * outWidth,
    weightCount: 0,
    initialise() {},
    forward(_weights, input, output) {
      eachLargest(input, (out, largest) => {
        output[out] = input[largest];
      });
    },
    backward(_weights, _gradients, input, _output, outputGradient, inputGradient) {
      inputGradient.fill(0);
      eachLargest(input, (out, largest) => {
        inputGradient[largest] += outputGradient[out];
      });
    },
  };
}
