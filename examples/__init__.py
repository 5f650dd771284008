"""Programs of the other side: what callers of the store of value may write. They know only HTTP and
import none of our packages."""
