import { BINARY_HEADER_BYTES, INPUT } from "../generated/protocol"

/** One binary frame: u8 kind, u32 handle, u64 offset, data; big-endian. */
export interface Frame {
  kind: number
  handle: number
  offset: number
  data: Uint8Array
}

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

/** Bytes for a program as an INPUT frame; with a request id the daemon answers when the terminal took them. */
export function packInput(handle: number, data: Uint8Array, requestId = 0): ArrayBuffer {
  const buffer = new ArrayBuffer(BINARY_HEADER_BYTES + data.length)
  const view = new DataView(buffer)
  view.setUint8(0, INPUT)
  view.setUint32(1, handle)
  view.setBigUint64(5, BigInt(requestId))
  new Uint8Array(buffer, BINARY_HEADER_BYTES).set(data)
  return buffer
}
