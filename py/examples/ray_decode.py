"""Decrypts texts on all machines of a Ray cluster: pip install ray; python examples/ray_decode.py prog 'main.decode' texts.

Programs and functions pickle by path, checksum and settings, so each worker opens the program once.
"""

import sys

import goemu


def main() -> None:
    import ray

    path, name, *texts = sys.argv[1:]
    ray.init()
    decode = ray.put(goemu.open(path)[name])
    call = ray.remote(lambda function, text: function(text))
    for text in ray.get([call.remote(decode, text) for text in texts]):
        print(text)


if __name__ == "__main__":
    main()
