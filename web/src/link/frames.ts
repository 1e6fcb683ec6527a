import { BINARY_HEADER_BYTES, INPUT, MAX_MESSAGE_BYTES } from "../generated/protocol"

/** One binary frame: u8 kind, u32 handle, u64 offset, data; big-endian. */
export interface Frame {
  kind: number
  handle: number
  offset: number
  data: Uint8Array
}

const INPUT_DATA_BYTES = MAX_MESSAGE_BYTES - BINARY_HEADER_BYTES

/** Reads a frame. Throws RangeError when the buffer is shorter than a header. */
export function unpackFrame(buffer: ArrayBuffer): Frame {
  const view = new DataView(buffer)
  return {
    kind: view.getUint8(0),
    handle: view.getUint32(1),
    // Offsets count output bytes of one session; 2^53 of them are 9 petabytes.
    offset: Number(view.getBigUint64(5)),
    data: new Uint8Array(buffer, BINARY_HEADER_BYTES),
  }
}

/** Bytes for a program as INPUT frames, each below the bound of one message. */
export function* packInput(handle: number, data: Uint8Array): Generator<ArrayBuffer> {
  for (let start = 0; start < data.length; start += INPUT_DATA_BYTES) {
    const part = data.subarray(start, start + INPUT_DATA_BYTES)
    const buffer = new ArrayBuffer(BINARY_HEADER_BYTES + part.length)
    const view = new DataView(buffer)
    view.setUint8(0, INPUT)
    view.setUint32(1, handle)
    new Uint8Array(buffer, BINARY_HEADER_BYTES).set(part)
    yield buffer
  }
}
