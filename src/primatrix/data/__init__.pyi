from .cache import default_store as default_store
from .cache import find_cache as find_cache
from .dataset import Dataset as Dataset
from .draws import Sampling as Sampling
from .keeping import Keeping as Keeping
from .loader import pack_folder as pack_folder
from .store import FORMAT_VERSION as FORMAT_VERSION
from .store import Store as Store
