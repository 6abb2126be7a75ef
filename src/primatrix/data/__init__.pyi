from .dataset import Dataset as Dataset
from .draws import Sampling as Sampling
from .loader import pack_folder as pack_folder
from .store import FORMAT_VERSION as FORMAT_VERSION
from .store import Store as Store
