/** Something that is made when it is first needed: a call that does one thing does not pay for all that could be done. */
export class Later<Made> {
  readonly #make: () => Made;
  #made: Made | null = null;

  constructor(make: () => Made) {
    this.#make = make;
  }

  get it(): Made {
    this.#made ??= this.#make();
    return this.#made;
  }

  /** What has been made by now. */
  get ifMade(): Made | null {
    return this.#made;
  }
}
