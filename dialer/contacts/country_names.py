"""What countries are called beside the names that come with `phonenumbers`, and their codes of three letters.

A line begins with a country or a title; underscores join the words of a name.
"""

ALIASES = """
    AC Ascension Ascension_Island
    AE UAE Emirates
    AG Antigua
    AR Argentine_Republic
    AX Aland Aland_Islands
    BA Bosnia Bosnia_Herzegovina
    BN Brunei Brunei_Darussalam
    BQ Bonaire Caribbean_Netherlands Bonaire_Sint_Eustatius_and_Saba
    CC Cocos_Islands Keeling_Islands Cocos_Keeling_Islands
    CD DRC DR_Congo Congo_Kinshasa Democratic_Republic_of_the_Congo Democratic_Republic_of_Congo Zaire
    CD Congo_DRC
    CG Congo_Brazzaville Republic_of_the_Congo
    CH Swiss_Confederation
    CI Ivory_Coast Cote_d_Ivoire
    CN PRC PR_China Mainland_China
    CV Cape_Verde Cabo_Verde
    CZ Czech_Republic Czechia
    DE BRD
    DO Dominican_Rep
    FK Falklands Falkland_Islands Falkland_Islands_Malvinas
    FM Micronesia Federated_States_of_Micronesia Micronesia_Fed_Sts
    FO Faeroe_Islands
    FR French_Republic
    GA Gabonese_Republic
    GB UK GB GB_UK Great_Britain Britain England Scotland Wales Northern_Ireland
    GB United_Kingdom_of_Great_Britain United_Kingdom_of_Great_Britain_and_Northern_Ireland
    GF French_Guyana
    GM The_Gambia Gambia
    GR Hellas Hellenic_Republic
    HK Hong_Kong Hongkong Hong_Kong_SAR Hong_Kong_SAR_China Hong_Kong_Special_Administrative_Region
    HK Hong_Kong_Special_Administrative_Region_of_China Hong_Kong_China
    IE Eire
    IN Bharat
    IR Iran
    IT Italian_Republic
    KG Kyrgyz_Republic
    KN St_Kitts Saint_Kitts_and_Nevis
    KP North_Korea DPRK DPR_Korea Democratic_Peoples_Republic_of_Korea N_Korea
    KR South_Korea Korea S_Korea ROK
    LA Laos Lao_PDR Lao_Peoples_Democratic_Republic
    LB Lebanese_Republic
    LC Saint_Lucia
    LY Libya Libyan_Arab_Jamahiriya
    MD Moldova
    MF Saint_Martin_French_part
    MK Macedonia North_Macedonia FYROM FYR_Macedonia Former_Yugoslav_Republic_of_Macedonia
    MM Burma Myanmar Republic_of_the_Union_of_Myanmar
    MO Macau Macao Macau_SAR Macao_SAR Macao_Special_Administrative_Region
    MO Macao_Special_Administrative_Region_of_China Macau_China Macao_China
    MX United_Mexican_States
    NL Holland The_Netherlands
    PH The_Philippines
    PS Palestine Palestinian_Territories Occupied_Palestinian_Territory West_Bank_and_Gaza
    PS Palestinian_Authority
    PT Portuguese_Republic
    RE Reunion
    RU Russia Russian_Federation
    RW Rwandese_Republic
    SA KSA Saudi
    SH Saint_Helena_Ascension_and_Tristan_da_Cunha
    SK Slovak_Republic
    SX Sint_Maarten Saint_Maarten Sint_Maarten_Dutch_part Saint_Martin_Dutch_part
    SY Syria Syrian_Arab_Republic
    SZ Swaziland Eswatini
    TA Tristan_da_Cunha
    TC Turks_and_Caicos
    TG Togolese_Republic
    TL East_Timor Timor_Leste
    TR Turkey Turkiye
    TT Trinidad
    TW Taiwan Taiwan_Province_of_China Republic_of_China_Taiwan ROC Taiwan_China
    TZ Tanzania
    US USA US United_States United_States_of_America America
    VA Vatican Vatican_City Vatican_City_State Holy_See Holy_See_Vatican_City_State
    VC Saint_Vincent
    VE Venezuela Venezuela_RB
    VG British_Virgin_Islands UK_Virgin_Islands
    VI US_Virgin_Islands USVI Virgin_Islands_of_the_United_States USA_Virgin_Islands
    VN Vietnam Viet_Nam
    WF Wallis_and_Futuna_Islands
    XK Kosovo
"""

# What stands before `of` in the long names of states, and who is called so. Nobody else is: a `Republic of`
# China and a `State of` Georgia are not the countries that one may think of. Source: the full names of
# ISO 3166-1, and those in use before the last change of them.
TITLES = """
    Arab_Republic EG
    Bolivarian_Republic VE
    Commonwealth AU BS DM MP PR
    Co_operative_Republic GY
    Cooperative_Republic GY
    Democratic_Peoples_Republic KP
    Democratic_Republic CD ST TL
    Democratic_Socialist_Republic LK
    Eastern_Republic UY
    Federal_Democratic_Republic ET NP
    Federal_Republic DE NG SO
    Federation KN MY RU
    Federative_Republic BR
    Grand_Duchy LU
    Hashemite_Kingdom JO
    Independent_State PG WS
    Islamic_Republic AF GM IR MR PK
    Kingdom BE BH BT DK ES KH LS MA NL NO SA SE SZ TH TO
    Oriental_Republic UY
    Peoples_Democratic_Republic DZ
    Peoples_Republic BD CN
    Plurinational_State BO
    Principality AD LI MC
    Republic AL AM AO AT AZ BA BG BI BJ BO BW BY CG CI CL CM CO CR CU CV CY CZ DJ EC EE EG FI FJ GA GE
    Republic GH GM GN GQ GT GW GY HN HR HT HU ID IE IN IQ IS KE KG KI KM KR KZ LB LR LT LV MD ME MG MH
    Republic MK ML MM MT MU MV MW MZ NA NE NI NP NR PA PE PH PL PT PW PY RS RW SC SD SG SI SK SL SM SN
    Republic SO SR SS SV TD TG TJ TN TR TT UG UY UZ VE VU YE ZA ZM ZW
    Socialist_Republic VN
    State ER IL KW LY PS QA
    Sultanate OM
    Union KM MM
    United_Republic TZ
"""

# ISO 3166-1 alpha-3, each behind its alpha-2.
ALPHA3 = """
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
