"""Which country a cell means: ISO codes in any case, names in many languages, the usual short forms."""

from __future__ import annotations

import re
import unicodedata
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import phonenumbers

from dialer.base.errors import BadInput

_NEAR = 0.8
"""How like two names must be: 'Indai' and 'india' are, 'Atlantis' and 'irlanti' (0.67) are not."""

_ALIASES = """
    AE UAE Emirates
    AG Antigua
    AX Aland Aland_Islands
    BA Bosnia Bosnia_Herzegovina
    BN Brunei Brunei_Darussalam
    BO Plurinational_State_of_Bolivia
    BQ Bonaire Caribbean_Netherlands
    CC Cocos_Islands Keeling_Islands
    CD DRC DR_Congo Congo_Kinshasa Democratic_Republic_of_the_Congo Democratic_Republic_of_Congo Zaire
    CG Congo_Brazzaville Republic_of_the_Congo
    CI Ivory_Coast Cote_d_Ivoire
    CN PRC Peoples_Republic_of_China Mainland_China
    CV Cape_Verde Cabo_Verde
    CZ Czech_Republic Czechia
    DE Federal_Republic_of_Germany BRD
    DO Dominican_Rep
    FK Falklands Falkland_Islands
    FM Micronesia Federated_States_of_Micronesia
    GB UK GB_UK Great_Britain Britain England Scotland Wales Northern_Ireland
    GM The_Gambia Gambia
    GR Hellas
    HK Hong_Kong Hongkong Hong_Kong_SAR Hong_Kong_SAR_China
    IE Republic_of_Ireland Eire
    IN Bharat Republic_of_India
    IR Islamic_Republic_of_Iran Iran
    KN St_Kitts Saint_Kitts_and_Nevis
    KP North_Korea DPRK Democratic_Peoples_Republic_of_Korea
    KR South_Korea Korea Republic_of_Korea Korea_South
    LA Laos Lao_PDR Lao_Peoples_Democratic_Republic
    LC Saint_Lucia
    LY Libya
    MD Moldova Republic_of_Moldova
    MK Macedonia North_Macedonia FYROM
    MM Burma Myanmar
    MO Macau Macao Macau_SAR Macao_SAR
    NL Holland The_Netherlands
    PH The_Philippines
    PS Palestine Palestinian_Territories State_of_Palestine
    RE Reunion
    RU Russia Russian_Federation
    SA KSA Kingdom_of_Saudi_Arabia Saudi
    SY Syria Syrian_Arab_Republic
    SZ Swaziland Eswatini
    TL East_Timor Timor_Leste
    TR Turkey Turkiye
    TW Taiwan Taiwan_Province_of_China ROC
    TZ Tanzania United_Republic_of_Tanzania
    US USA U_S_A U_S United_States United_States_of_America America
    VA Vatican Vatican_City Holy_See
    VC Saint_Vincent
    VE Venezuela Bolivarian_Republic_of_Venezuela
    VG British_Virgin_Islands
    VI US_Virgin_Islands
    VN Vietnam Viet_Nam
    XK Kosovo
    AC Ascension Ascension_Island
    TA Tristan_da_Cunha
"""

# ISO 3166-1 alpha-3, in the order of the alpha-2 codes named in front of each line.
_ALPHA3 = """
    AD AND AE ARE AF AFG AG ATG AI AIA AL ALB AM ARM AO AGO AR ARG AS ASM AT AUT AU AUS AW ABW AX ALA AZ AZE
    BA BIH BB BRB BD BGD BE BEL BF BFA BG BGR BH BHR BI BDI BJ BEN BL BLM BM BMU BN BRN BO BOL BQ BES BR BRA
    BS BHS BT BTN BW BWA BY BLR BZ BLZ CA CAN CC CCK CD COD CF CAF CG COG CH CHE CI CIV CK COK CL CHL CM CMR
    CN CHN CO COL CR CRI CU CUB CV CPV CW CUW CX CXR CY CYP CZ CZE DE DEU DJ DJI DK DNK DM DMA DO DOM DZ DZA
    EC ECU EE EST EG EGY EH ESH ER ERI ES ESP ET ETH FI FIN FJ FJI FK FLK FM FSM FO FRO FR FRA GA GAB GB GBR
    GD GRD GE GEO GF GUF GG GGY GH GHA GI GIB GL GRL GM GMB GN GIN GP GLP GQ GNQ GR GRC GT GTM GU GUM GW GNB
    GY GUY HK HKG HN HND HR HRV HT HTI HU HUN ID IDN IE IRL IL ISR IM IMN IN IND IO IOT IQ IRQ IR IRN IS ISL
    IT ITA JE JEY JM JAM JO JOR JP JPN KE KEN KG KGZ KH KHM KI KIR KM COM KN KNA KP PRK KR KOR KW KWT KY CYM
    KZ KAZ LA LAO LB LBN LC LCA LI LIE LK LKA LR LBR LS LSO LT LTU LU LUX LV LVA LY LBY MA MAR MC MCO MD MDA
    ME MNE MF MAF MG MDG MH MHL MK MKD ML MLI MM MMR MN MNG MO MAC MP MNP MQ MTQ MR MRT MS MSR MT MLT MU MUS
    MV MDV MW MWI MX MEX MY MYS MZ MOZ NA NAM NC NCL NE NER NF NFK NG NGA NI NIC NL NLD NO NOR NP NPL NR NRU
    NU NIU NZ NZL OM OMN PA PAN PE PER PF PYF PG PNG PH PHL PK PAK PL POL PM SPM PR PRI PS PSE PT PRT PW PLW
    PY PRY QA QAT RE REU RO ROU RS SRB RU RUS RW RWA SA SAU SB SLB SC SYC SD SDN SE SWE SG SGP SH SHN SI SVN
    SJ SJM SK SVK SL SLE SM SMR SN SEN SO SOM SR SUR SS SSD ST STP SV SLV SX SXM SY SYR SZ SWZ TC TCA TD TCD
    TG TGO TH THA TJ TJK TK TKL TL TLS TM TKM TN TUN TO TON TR TUR TT TTO TV TUV TW TWN TZ TZA UA UKR UG UGA
    US USA UY URY UZ UZB VA VAT VC VCT VE VEN VG VGB VI VIR VN VNM VU VUT WF WLF WS WSM XK XKX YE YEM YT MYT
    ZA ZAF ZM ZMB ZW ZWE
"""


def region_of(text: str) -> str | None:
    """Return the ISO code that a person means by `text`, or None."""
    code = text.strip().upper()
    if code in phonenumbers.SUPPORTED_REGIONS:
        return code
    return _regions_by_name().get(_plain(text))


def require_region(text: str) -> str:
    """Return the ISO code of a default region.

    Raises:
        BadInput: no country is called so.
    """
    region = region_of(text)
    if region is None:
        raise BadInput(f"region = {text!r}: expected an ISO code such as 'IN' or 'GB'{suggest_region(text)}")
    return region


@lru_cache(maxsize=256)
def suggest_region(text: str) -> str:
    """Return ` (did you mean 'X'?)` for a country's name with a slip or two, or an empty text."""
    names = _regions_by_name()
    near = get_close_matches(_plain(text), names, n=1, cutoff=_NEAR) if len(text) > 3 else []
    return f" (did you mean '{name_of(names[near[0]])}'?)" if near else ""


def name_of(region: str | None) -> str:
    """Return a country's English name, its code where it has none."""
    if region is None:
        return "no country"
    names = _locales().get(region, {})
    return str(_follow(names, "en") or region)


def _follow(names: dict[str, str], language: str) -> str | None:
    name = names.get(language)
    # A star refers to the language whose name is the same.
    return names.get(name[1:]) if name is not None and name.startswith("*") else name


def _plain(text: str) -> str:
    """Return a name without accents, case and punctuation."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(letter for letter in letters if not unicodedata.combining(letter))
    letters = letters.replace("&", " and ")
    words = re.sub(r"[\W_]+", " ", letters).strip().split()
    return " ".join("saint" if word == "st" else word for word in words)


@cache
def _locales() -> Any:
    """Return the names of countries that come with `phonenumbers`, by region and language."""
    # Only this module of the package, which reads the names of all towns otherwise: 20 ms against 300.
    file = Path(phonenumbers.__file__).with_name("geodata") / "locale.py"
    spec = spec_from_file_location("phonenumbers.geodata.locale", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LOCALE_DATA


@cache
def _regions_by_name() -> dict[str, str]:
    known: dict[str, set[str]] = {}
    for region, names in _locales().items():
        if region in phonenumbers.SUPPORTED_REGIONS:
            for name in names.values():
                if not name.startswith("*"):
                    known.setdefault(_plain(name), set()).add(region)
    # A name that two countries share in two languages means neither.
    meant = {name: next(iter(regions)) for name, regions in known.items() if len(regions) == 1}
    for region in phonenumbers.SUPPORTED_REGIONS:
        meant[_plain(name_of(region))] = region
    codes = _ALPHA3.split()
    meant |= {alpha3.casefold(): alpha2 for alpha2, alpha3 in zip(codes[::2], codes[1::2], strict=True)}
    for line in _ALIASES.strip().splitlines():
        region, *aliases = line.split()
        if region in phonenumbers.SUPPORTED_REGIONS:
            meant |= {_plain(alias): region for alias in aliases}
    return {name: region for name, region in meant.items() if name}
