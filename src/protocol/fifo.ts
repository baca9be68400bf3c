interface Node<T> {
  readonly value: T;
  next: Node<T> | undefined;
}

/** First in, first out; every operation takes the same short time however long it is. */
export class Fifo<T> {
  #head: Node<T> | undefined;
  #tail: Node<T> | undefined;

  peek(): T | undefined {
    return this.#head?.value;
  }

  push(value: T): void {
    const node: Node<T> = { value, next: undefined };
    if (this.#tail) this.#tail.next = node;
    else this.#head = node;
    this.#tail = node;
  }

  shift(): T | undefined {
    const node = this.#head;
    if (!node) return undefined;
    this.#head = node.next;
    if (!node.next) this.#tail = undefined;
    return node.value;
  }

  clear(): void {
    this.#head = undefined;
    this.#tail = undefined;
  }
}
