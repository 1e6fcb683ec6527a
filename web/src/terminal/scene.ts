import type { Attachment, Step } from "./attachment"
import type { Face } from "./face"
import type { Screen } from "./screen"
import { ONE_WRITE_BYTES, Writer } from "./writer"

type Painting = Extract<Step, { do: "paint" }>
type Drawn = Exclude<Step, { do: "reattach" }>

// A face that is behind and cannot be drawn in this time (the tab is covered, say) is shown undrawn.
const DRAW_LIMIT_MS = 300
// How long a person who scrolled up keeps the old lines while a screen without them waits for its scrollback.
const SCROLLBACK_LIMIT_MS = 3000
// Output that pushes lines out moves the view of the face behind; so often it is put right.
const LOOKS = 4

/** A face, and the stream that feeds it. */
interface Slot {
  face: Face
  writer: Writer
  /** Null when it gets no more: what follows goes to the face behind it. */
  source: Attachment | null
  painted: boolean
  /** It has its scrollback. */
  whole: boolean
  applied: number
}

export interface SceneEvents {
  /** Everything of a stream up to `offset` is in its face. */
  onApplied(source: Attachment, offset: number, painted: boolean): void
  /** A second stream has painted its face: the first is not needed any more. */
  onPainted(source: Attachment): void
}

/**
 * Paints without a person noticing. What replaces a screen goes to a face behind the one that is shown; when all of it
 * is drawn, at the same lines and with the same selection, that one is shown instead. Small frames that replace what is
 * looked at from the bottom are painted in place.
 */
export class Scene {
  private front: Slot
  private back: Slot | null = null
  /** What the face behind has to reach before it is shown: the other stream was further. */
  private goal = 0
  private seen = false
  private quiet = true
  private looks = 0
  private target = 0
  private lookedFrom = 0
  private timer = 0
  private limit = 0

  constructor(
    private readonly screen: Screen,
    source: Attachment,
    private readonly events: SceneEvents,
  ) {
    this.front = this.slot(screen.face, source)
    this.follow(screen.face)
    screen.onLetGo = () => this.settle()
  }

  /** Whether anybody sees the place (`seen`), and whether bytes may take their time (`quiet`). */
  visibility(seen: boolean, quiet: boolean): void {
    this.seen = seen
    this.quiet = quiet
    for (const slot of [this.front, this.back]) {
      if (!slot) continue
      slot.writer.hidden = quiet
      if (!quiet) slot.writer.wake()
    }
    this.settle()
  }

  /** What a stream says; of a stream that feeds no face it is forgotten. */
  push(step: Drawn, source: Attachment): void {
    if (step.do === "paint") return this.paint(step, source)
    const slot = [this.front, this.back].find((each) => each?.source === source)
    slot?.writer.push(step)
  }

  /** A stream that did not come to its end: what it painted is not wanted. */
  drop(source: Attachment): void {
    if (this.back?.source !== source) return
    this.back.writer.dispose()
    this.back.face.dispose()
    this.leave()
  }

  dispose(): void {
    for (const slot of [this.front, this.back]) slot?.writer.dispose()
    this.back?.face.dispose()
    this.leave()
  }

  private paint(step: Painting, source: Attachment): void {
    if (this.back) {
      const replaced = this.back.source
      if (source === this.front.source) return this.paintOn(this.front, step)
      this.back.source = source
      if (replaced !== source) this.events.onPainted(source)
      this.goal = 0
      this.back.painted = false
      return this.paintOn(this.back, step)
    }
    if (source === this.front.source && !this.wantsAnother(step)) return this.paintOn(this.front, step)
    if (source === this.front.source) this.front.source = null
    const face = this.screen.newFace({ rows: step.rows, cols: step.cols })
    this.back = this.slot(face, source)
    face.terminal.onRender(({ start, end }) => start === 0 && end >= face.terminal.rows - 1 && this.drawn(face))
    this.paintOn(this.back, step)
  }

  private paintOn(slot: Slot, step: Painting): void {
    slot.whole = step.whole
    slot.writer.push(step)
  }

  /** Whether painting in place would be noticed. */
  private wantsAnother(step: Painting): boolean {
    const { face, painted } = this.front
    if (!painted || !this.seen) return false
    const resized = face.terminal.rows !== step.rows || face.terminal.cols !== step.cols
    const kept = !face.atBottom || face.terminal.hasSelection() || this.screen.held
    return resized || kept || step.data.length > ONE_WRITE_BYTES
  }

  private slot(face: Face, source: Attachment): Slot {
    const writer = new Writer(
      face.terminal,
      (offset, painted) => this.applied(slot, offset, painted),
      () => slot === this.back && this.screen.openBehind(face),
    )
    const slot: Slot = { face, writer, source, painted: false, whole: false, applied: 0 }
    writer.hidden = this.quiet
    return slot
  }

  private applied(slot: Slot, offset: number, painted: boolean): void {
    slot.applied = offset
    slot.painted ||= painted
    if (slot.source) this.events.onApplied(slot.source, offset, painted)
    if (slot === this.back && slot.source && painted && this.front.source) {
      this.front.source = null
      this.goal = this.front.applied
      this.events.onPainted(slot.source)
    }
    this.settle()
  }

  /** Looks from the face behind at what is looked at, and once that is drawn, shows it. */
  private settle(): void {
    const back = this.back
    if (!back?.painted || back.applied < this.goal || this.screen.held || this.timer) return
    if (!back.whole && !this.front.face.atBottom && this.seen) {
      this.limit ||= window.setTimeout(() => this.giveUp(), SCROLLBACK_LIMIT_MS)
      return
    }
    this.look(back)
    if (!this.seen || document.hidden) return this.show()
    this.looks = 0
    this.timer = window.setTimeout(() => this.show(), DRAW_LIMIT_MS)
  }

  private giveUp(): void {
    if (this.back) this.back.whole = true
    this.settle()
  }

  private look({ face }: Slot): void {
    this.looks++
    this.lookedFrom = this.front.face.terminal.buffer.active.viewportY
    this.target = face.viewOf(this.front.face)
    face.terminal.scrollToLine(this.target)
    face.terminal.refresh(0, face.terminal.rows - 1)
  }

  /** A face was drawn, all of it. */
  private drawn(face: Face): void {
    const back = this.back
    if (back?.face !== face || !this.timer || this.screen.held) return
    const { front } = this
    const moved = front.face.terminal.buffer.active.viewportY !== this.lookedFrom
    const placed = front.face.atBottom ? face.atBottom : face.terminal.buffer.active.viewportY === this.target
    if ((moved || !placed) && this.looks < LOOKS) return this.look(back)
    this.show()
  }

  private show(): void {
    const { front, back } = this
    if (!back) return
    if (this.screen.held) return this.pause()
    front.writer.dispose()
    this.front = back
    this.leave()
    this.screen.change(back.face)
    this.follow(back.face)
  }

  /** A person began to drag or compose: again when that is over. */
  private pause(): void {
    clearTimeout(this.timer)
    this.timer = 0
  }

  private leave(): void {
    clearTimeout(this.timer)
    clearTimeout(this.limit)
    this.timer = this.limit = this.goal = 0
    this.back = null
  }

  /** Somebody who scrolled up comes down again: there is no reason to wait for the scrollback. */
  private follow(face: Face): void {
    face.terminal.onScroll(() => this.back && this.front.face === face && face.atBottom && this.settle())
  }
}
