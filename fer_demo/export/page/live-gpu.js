// WebGPU for the network where there is one and it is faster than WebAssembly; it often is not, for so small a network.

import { fetched } from "./reader.js";

const TRIES = 7;

/** Gives the reader the faster of the two, and says which: "WebGPU" or "WebAssembly". */
export async function faster(reader) {
  const plain = [reader.classifier, reader.ort];
  try {
    const adapter = await navigator.gpu?.requestAdapter();
    if (!adapter || (adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)) return "WebAssembly";
    const slow = await time(reader);
    const ort = await import("./ort/ort.webgpu.min.mjs");
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
    ort.env.logLevel = "error";
    const bytes = await fetched(reader.model.file ?? "model.onnx");
    reader.classifier = await ort.InferenceSession.create(bytes, { executionProviders: ["webgpu", "wasm"] });
    reader.ort = ort;
    if ((await time(reader)) < slow) {
      await plain[0].release();
      return "WebGPU";
    }
    await reader.classifier.release();
  } catch {
    // a driver that refuses, or a browser that only says that it has one: what runs everywhere stays
  }
  [reader.classifier, reader.ort] = plain;
  return "WebAssembly";
}

/** Median milliseconds of a face. */
async function time(reader) {
  const face = new Uint8Array(reader.model.size[0] ** 2).fill(100);
  const times = [];
  for (let i = 0; i < TRIES; i++) {
    const start = performance.now();
    await reader.classify([face]);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[TRIES >> 1];
}
