"""How a message crosses from one worker to another: its fields one after the other, without pickling."""

from apache_beam.coders import Coder
from apache_beam.coders.coder_impl import create_InputStream, create_OutputStream

from schemas.message import Message


class MessageCoder(Coder):
    """Encodes a `Message`: raw, source, the number of attributes and each name and value, failure, came_us."""

    def encode(self, value: Message) -> bytes:
        out = create_OutputStream()
        out.write(value.raw, True)
        out.write(value.source.encode(), True)
        out.write_var_int64(len(value.attributes))
        for name, text in value.attributes.items():
            out.write(name.encode(), True)
            out.write(text.encode(), True)
        out.write(value.failure.encode(), True)
        out.write_var_int64(value.came_us)
        encoded: bytes = out.get()
        return encoded

    def decode(self, encoded: bytes) -> Message:
        stream = create_InputStream(encoded)
        raw = stream.read_all(True)
        source = stream.read_all(True).decode()
        count = stream.read_var_int64()
        attributes = {}
        for _ in range(count):
            name = stream.read_all(True).decode()
            attributes[name] = stream.read_all(True).decode()
        return Message(raw, source, attributes, stream.read_all(True).decode(), stream.read_var_int64())

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type[Message]:
        return Message

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))
